//! Exchanges that wait for a connection to their origin: one of each client in turn.

use std::collections::VecDeque;

use crate::client::{Client, Key};
use crate::slot::Fetch;

/// Those who wait, each client in the order of its own asking. A client that asks for much waits for itself and not the
/// others for it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The clients with something to do, the next one first.
    turns: VecDeque<(Client, VecDeque<Fetch>)>,
}

impl Queue {
    pub(crate) fn push(&mut self, fetch: Fetch) {
        match self.turns.iter_mut().find(|(client, _)| *client == fetch.key.client) {
            Some((_, fetches)) => fetches.push_back(fetch),
            None => self.turns.push_back((fetch.key.client, VecDeque::from([fetch]))),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Fetch> {
        let (client, mut fetches) = self.turns.pop_front()?;
        let fetch = fetches.pop_front();
        if !fetches.is_empty() {
            self.turns.push_back((client, fetches));
        }
        fetch
    }

    /// Takes one back.
    pub(crate) fn withdraw(&mut self, key: Key) -> Option<Fetch> {
        let turn = self.turns.iter().position(|(client, _)| *client == key.client)?;
        let (_, fetches) = self.turns.get_mut(turn)?;
        let at = fetches.iter().position(|fetch| fetch.key == key)?;
        let fetch = fetches.remove(at);
        if fetches.is_empty() {
            self.turns.remove(turn);
        }
        fetch
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Fetch> {
        let (_, fetches) = self.turns.iter_mut().find(|(client, _)| *client == key.client)?;
        fetches.iter_mut().find(|fetch| fetch.key == key)
    }
}
