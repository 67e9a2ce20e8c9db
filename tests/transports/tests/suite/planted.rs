//! Transports that break a rule each: the suite has to find every one of them, by the case that is meant for it.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use dlmanager_core::{ActionId, Answer, Chunk, Completion, Event, Fault, FaultKind, NetAction, NetOp};
use dlmanager_transport_conformance::{Scheme, Settings, Subject, Transport, Verdict, cases};

use crate::subjects::OnSmol;

/// What is done in another way.
#[derive(Clone, Copy)]
enum Bug {
    Settings(fn(Settings) -> Settings),
    Action(fn(NetOp) -> NetOp),
    /// What becomes of an event.
    Event(fn(Event, &mut Vec<Event>)),
    Poll(fn(&mut Context<'_>)),
}

struct Planted(Bug);

impl Subject for Planted {
    fn transport(&self, settings: &Settings) -> Box<dyn Transport> {
        let settings = match self.0 {
            Bug::Settings(change) => change(settings.clone()),
            _ => settings.clone(),
        };
        Box::new(Broken { inner: OnSmol.transport(&settings), bug: self.0 })
    }

    fn block_on(&self, deadline: Duration, future: Pin<&mut dyn Future<Output = ()>>) -> bool {
        OnSmol.block_on(deadline, future)
    }
}

struct Broken {
    inner: Box<dyn Transport>,
    bug: Bug,
}

impl Transport for Broken {
    fn start(&mut self, NetAction { lane, op }: NetAction) {
        let op = match self.bug {
            Bug::Action(change) => change(op),
            _ => op,
        };
        self.inner.start(NetAction { lane, op });
    }

    fn abort(&mut self, target: ActionId) {
        self.inner.abort(target);
    }

    fn poll(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) {
        match self.bug {
            Bug::Event(change) => {
                let mut happened = Vec::new();
                self.inner.poll(cx, &mut happened);
                happened.into_iter().for_each(|event| change(event, events));
            }
            _ => self.inner.poll(cx, events),
        }
        if let Bug::Poll(also) = self.bug {
            also(cx);
        }
    }
}

/// Tells an action's answer in another way.
fn answering(event: Event, change: impl FnOnce(Answer) -> Answer) -> Event {
    let Event::Completed(completion) = event else { return event };
    let id = completion.id();
    Event::Completed(Completion::forge(id, change(completion.into_answer())))
}

fn with_chunks(event: Event, change: impl FnOnce(Chunk) -> Chunk) -> Event {
    answering(event, |answer| match answer {
        Answer::ReadBody(Ok(chunk)) => Answer::ReadBody(Ok(change(chunk))),
        answer => answer,
    })
}

fn with_faults(event: Event, change: impl FnOnce(Fault) -> Fault) -> Event {
    answering(event, |answer| match answer {
        Answer::Fetch(Err(fault)) => Answer::Fetch(Err(change(fault))),
        Answer::ReadBody(Err(fault)) => Answer::ReadBody(Err(change(fault))),
        answer => answer,
    })
}

/// Runs the cases that are meant for the bug.
#[track_caller]
fn assert_found(scheme: Scheme, bug: Bug, names: &[&str]) {
    for name in names {
        let case = cases().find(|case| case.name == *name).expect("a case of that name");
        assert_eq!(case.run(scheme, OnSmol), Verdict::Passed, "{name} without the bug");
        let verdict = case.run(scheme, Planted(bug));
        assert!(matches!(verdict, Verdict::Failed(_)), "{name} did not find it: {verdict:?}");
    }
}

macro_rules! planted {
    ($($name:ident over $scheme:ident: $bug:expr => $($case:ident),+;)*) => {
        $(#[test]
        fn $name() {
            assert_found(Scheme::$scheme, $bug, &[$(stringify!($case)),+]);
        })*
    };
}

planted! {
    a_place_too_many over Http: Bug::Settings(|settings| Settings {
        connections_per_origin_max: settings.connections_per_origin_max + 1,
        ..settings
    }) => no_origin_ever_has_more_connections_than_allowed;

    no_bound_on_heads over Http: Bug::Settings(|settings| Settings {
        header_bytes_max: 1 << 20,
        header_count_max: 1000,
        ..settings
    }) => a_head_has_a_bound_in_bytes_and_in_fields;

    nothing_is_kept over Http: Bug::Settings(|settings| Settings { idle_timeout: Duration::ZERO, ..settings }) =>
        exchanges_one_after_the_other_use_one_connection,
        an_endless_idle_time_is_none;

    large_buffers over Http: Bug::Settings(|settings| Settings { read_buffer_bytes_max: 8 << 20, ..settings }) =>
        a_chunk_keeps_no_more_alive_than_it_says_and_small_ones_only_themselves;

    a_header_field_of_its_own over Http: Bug::Action(|mut op| {
        if let NetOp::Fetch { request, .. } = &mut op {
            request.headers_mut().insert("user-agent", http::HeaderValue::from_static("me"));
        }
        op
    }) => the_request_is_in_origin_form_with_the_given_headers_and_no_others;

    more_than_was_asked_for over Http: Bug::Action(|op| match op {
        NetOp::ReadBody { ticket, body, .. } => NetOp::ReadBody { ticket, body, bytes_max: 1 << 20 },
        op => op,
    }) => no_chunk_is_longer_than_asked_for;

    a_byte_that_is_wrong over Http: Bug::Event(|event, events| events.push(with_chunks(event, |chunk| {
        let mut data = chunk.data.to_vec();
        if let Some(byte) = data.get_mut(4095) {
            *byte ^= 1;
        }
        Chunk { data: data.into(), ..chunk }
    }))) => bodies_of_every_framing_and_length_arrive_byte_for_byte;

    nothing_is_pinned over Http: Bug::Event(|event, events| {
        events.push(with_chunks(event, |chunk| Chunk { pinned: 0, ..chunk }));
    }) => no_chunk_is_longer_than_asked_for;

    what_is_small_keeps_much_alive over Http: Bug::Event(|event, events| {
        events.push(with_chunks(event, |chunk| Chunk { pinned: chunk.pinned.max(256 * 1024), ..chunk }));
    }) => a_chunk_keeps_no_more_alive_than_it_says_and_small_ones_only_themselves,
        many_small_chunks_make_few_events_and_keep_little_alive;

    a_cut_is_taken_for_the_end over Https: Bug::Event(|event, events| events.push(answering(event, |answer| match answer {
        Answer::ReadBody(Err(fault)) if fault.kind() == FaultKind::Reset => {
            Answer::ReadBody(Ok(Chunk { data: Default::default(), pinned: 0, last: true }))
        }
        answer => answer,
    }))) => a_body_that_is_cut_yields_what_came_and_then_a_fault,
        an_end_without_a_close_notify_is_no_end,
        a_cut_is_a_cut_with_and_without_a_close_notify;

    connections_that_nobody_hears_of over Http: Bug::Event(|event, events| {
        if !matches!(event, Event::Connected(_)) {
            events.push(event);
        }
    }) => exchanges_one_after_the_other_use_one_connection,
        a_request_that_finds_its_kept_connection_closed_goes_out_once_more;

    connections_that_are_told_twice over Http: Bug::Event(|event, events| {
        if let Event::Connected(id) = event {
            events.push(Event::Connected(id));
        }
        events.push(event);
    }) => exchanges_one_after_the_other_use_one_connection;

    answers_that_come_twice over Http: Bug::Event(|event, events| {
        let id = match &event {
            Event::Completed(completion) => Some(completion.id()),
            Event::Connected(_) | Event::Tick => None,
        };
        events.push(event);
        events.extend(id.map(|id| Event::Completed(Completion::aborted(id))));
    }) => an_empty_body_is_one_empty_chunk_that_is_the_last;

    faults_without_a_number over Http: Bug::Event(|event, events| {
        events.push(with_faults(event, |fault| Fault::new(fault.kind()).with_detail(fault.to_string())));
    }) => a_reset_is_told_with_the_systems_number,
        a_refused_connection_is_told_with_its_address;

    all_faults_are_resets over Https: Bug::Event(|event, events| {
        events.push(with_faults(event, |fault| Fault::new(FaultKind::Reset).with_detail(fault.to_string())));
    }) => what_is_not_http_is_a_fault_of_the_protocol,
        what_does_not_verify_is_refused,
        a_server_without_tls_is_refused,
        a_client_certificate_is_shown_to_who_asks;

    a_loop_that_spins over Http: Bug::Poll(|cx| cx.waker().wake_by_ref()) =>
        it_rests_while_there_is_nothing_to_do,
        a_body_that_has_come_is_read_without_a_wake;
}
