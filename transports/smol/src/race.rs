//! Several addresses, of which the first that connects is taken (RFC 8305).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The addresses with the two families taking turns, each in its given order, beginning with the first one's family
/// (RFC 8305 section 4).
pub(crate) fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

/// Attempts all, one after another, each beside those before it that are still under way: the next is begun when `delay`
/// has passed since the last was, or as soon as one fails (RFC 8305 section 5). The first that succeeds is taken, and the
/// others are dropped. Where none does, the error is that of the last to fail; without any, there is none.
pub(crate) async fn first<A, F, D, T, E>(
    addresses: Vec<A>,
    delay: impl FnMut() -> D,
    attempt: impl FnMut(A) -> F,
) -> Option<Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
    D: Future,
{
    let mut race = Race { waiting: addresses.into(), running: Vec::new(), pause: None, failure: None, delay, attempt };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<A, F, D, E, MakeDelay, MakeAttempt> {
    waiting: VecDeque<A>,
    running: Vec<Pin<Box<F>>>,
    /// Until the next one is begun.
    pause: Option<Pin<Box<D>>>,
    failure: Option<E>,
    delay: MakeDelay,
    attempt: MakeAttempt,
}

impl<A, F, D, T, E, MakeDelay, MakeAttempt> Race<A, F, D, E, MakeDelay, MakeAttempt>
where
    F: Future<Output = Result<T, E>>,
    D: Future,
    MakeDelay: FnMut() -> D,
    MakeAttempt: FnMut(A) -> F,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        loop {
            if let Some(taken) = self.poll_running(cx) {
                return Poll::Ready(Some(Ok(taken)));
            }
            if let Some(pause) = &mut self.pause
                && pause.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            self.pause = None;
            if let Some(next) = self.waiting.pop_front() {
                self.running.push(Box::pin((self.attempt)(next)));
                if !self.waiting.is_empty() {
                    self.pause = Some(Box::pin((self.delay)()));
                }
            } else if self.running.is_empty() {
                return Poll::Ready(self.failure.take().map(Err));
            } else {
                return Poll::Pending;
            }
        }
    }

    /// What the first of them that has succeeded yields. One that has failed makes room for the next at once.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<T> {
        let mut next = 0;
        while let Some(running) = self.running.get_mut(next) {
            match running.as_mut().poll(cx) {
                Poll::Pending => next += 1,
                Poll::Ready(Ok(taken)) => return Some(taken),
                Poll::Ready(Err(failure)) => {
                    self.running.remove(next);
                    self.failure = Some(failure);
                    self.pause = None;
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    const DELAY: u64 = 250;

    /// When an attempt ends, and how; `None`: never.
    type Script = &'static [(&'static str, Option<(u64, bool)>)];

    /// Who has won, or else has failed last, and when.
    type Ended = Option<(Result<&'static str, &'static str>, u64)>;

    /// Runs a script on a clock of its own: how it ended, and when each attempt was begun.
    fn run(script: Script) -> (Ended, Vec<(&'static str, u64)>) {
        let clock = Rc::new(Cell::new(0));
        let begun = RefCell::new(Vec::new());
        let at = |due: u64| {
            let clock = Rc::clone(&clock);
            poll_fn(move |_| if clock.get() >= due { Poll::Ready(()) } else { Poll::Pending })
        };
        let attempt = |(name, ends): (&'static str, Option<(u64, bool)>)| {
            begun.borrow_mut().push((name, clock.get()));
            let end = at(ends.map_or(u64::MAX, |(after, _)| clock.get() + after));
            async move {
                end.await;
                if ends.is_some_and(|(_, connects)| connects) { Ok(name) } else { Err(name) }
            }
        };
        let delay = || at(clock.get() + DELAY);
        let mut race = pin!(first(script.to_vec(), delay, attempt));
        let mut ended = None;
        while ended.is_none() && clock.get() < 10_000 {
            match race.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => ended = Some(outcome.map(|outcome| (outcome, clock.get()))),
                Poll::Pending => clock.set(clock.get() + 1),
            }
        }
        (ended.expect("an end"), begun.take())
    }

    #[test]
    fn a_dead_address_delays_the_next_by_no_more_than_the_delay() {
        let (ended, begun) = run(&[("dead", None), ("alive", Some((10, true)))]);
        assert_eq!((ended, begun), (Some((Ok("alive"), 260)), vec![("dead", 0), ("alive", 250)]));
    }

    #[test]
    fn an_address_that_answers_in_time_is_the_only_one_tried() {
        let (ended, begun) = run(&[("fast", Some((249, true))), ("other", Some((0, true)))]);
        assert_eq!((ended, begun), (Some((Ok("fast"), 249)), vec![("fast", 0)]));
    }

    #[test]
    fn a_slow_address_still_wins_where_it_is_the_first_to_connect() {
        let (ended, begun) = run(&[("slow", Some((300, true))), ("slower", Some((100, true)))]);
        assert_eq!((ended, begun.len()), (Some((Ok("slow"), 300)), 2));
    }

    #[test]
    fn a_refusal_begins_the_next_at_once_and_the_delay_anew() {
        let (ended, begun) = run(&[("refused", Some((5, false))), ("dead", None), ("alive", Some((1, true)))]);
        assert_eq!(begun, [("refused", 0), ("dead", 5), ("alive", 255)]);
        assert_eq!(ended, Some((Ok("alive"), 256)));
    }

    #[test]
    fn the_last_failure_is_told_when_all_have_failed() {
        let (ended, _) = run(&[("late", Some((900, false))), ("early", Some((10, false)))]);
        assert_eq!(ended, Some((Err("late"), 900)));
        assert_eq!(run(&[]).0, None);
    }

    #[test]
    fn the_families_take_turns_beginning_with_the_first() {
        let addresses =
            |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        for (given, expected) in [
            (&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"][..], &["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"][..]),
            (&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]),
            (&["2.2.2.2:1", "1.1.1.1:1"], &["2.2.2.2:1", "1.1.1.1:1"]),
            (&[], &[]),
        ] {
            assert_eq!(interleaved(addresses(given)), addresses(expected));
        }
    }
}
