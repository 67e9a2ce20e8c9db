//! An HTTP/1.1 origin on loopback that misbehaves as it is told, for tests of programs that download.
