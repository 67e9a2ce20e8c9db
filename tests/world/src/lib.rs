//! The manager in a world without network, disk or clock: steps, reference model, fuzz bodies.
