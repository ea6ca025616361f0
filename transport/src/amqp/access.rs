//! What a broker says of a permission that a user lacks, and what to do about it. Each of the three,
//! configure, write and read, is for names of exchanges and queues, by a regular expression. RabbitMQ
//! 3.10 does not say which one is missing; it follows from what was being done.

use lapin::ErrorKind;

/// What the broker was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// To declare an exchange.
    DeclareExchange,
    /// To declare a queue, perhaps one that hands its dead letters to an exchange.
    DeclareQueue,
    /// To bind a queue to an exchange.
    Bind,
    /// To publish.
    Publish,
    /// To consume, or get a message.
    Consume,
}

impl Doing {
    /// The permission that is asked for, of `what`, such as `queue 'a'`.
    fn permission(self, what: &str) -> &'static str {
        match (self, what.starts_with("queue")) {
            (Self::DeclareExchange, _) => "configure",
            // With dead letters also those of reading the queue and writing to the exchange.
            (Self::DeclareQueue, true) => "configure or read",
            (Self::DeclareQueue, false) | (Self::Bind, true) | (Self::Publish, _) => "write",
            (Self::Bind, false) | (Self::Consume, _) => "read",
        }
    }
}

/// What to do about an error, where that is a permission.
pub(super) fn lacking(error: &lapin::Error, doing: Doing) -> Option<String> {
    let ErrorKind::ProtocolError(refusal) = error.kind() else { return None };
    advice(refusal.get_message().as_str(), doing)
}

/// What to do about a refusal with this text, such as `ACCESS_REFUSED - access to queue 'a' in vhost
/// '/' refused for user 'b'`; `None` where it is another refusal.
pub(super) fn advice(text: &str, doing: Doing) -> Option<String> {
    let (before, rest) = text.split_once("access to ")?;
    let (what, rest) = rest.split_once(" in vhost '")?;
    let (vhost, rest) = rest.split_once("' refused for user '")?;
    let user = rest.split('\'').next()?;
    let said = before.split_whitespace().next_back().filter(|word| KINDS.contains(word));
    let permission = said.unwrap_or_else(|| doing.permission(what));
    Some(format!(
        "the user {user:?} lacks the {permission} permission for {what}; grant it beside the user's others: rabbitmqctl set_permissions -p {vhost} {user} CONFIGURE WRITE READ (docs/transport.md has those of each program)"
    ))
}

const KINDS: [&str; 3] = ["configure", "write", "read"];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, what: &str) -> String {
        format!("ACCESS_REFUSED - {kind}access to {what} in vhost '/logs' refused for user 'u1'")
    }

    #[test]
    fn the_permission_that_is_missing_is_named() {
        let (exchange, queue) = ("exchange 'e'", "queue 'q'");
        for (doing, what, permission) in [
            (Doing::DeclareExchange, exchange, "configure"),
            (Doing::DeclareQueue, queue, "configure or read"),
            (Doing::DeclareQueue, exchange, "write"),
            (Doing::Bind, queue, "write"),
            (Doing::Bind, exchange, "read"),
            (Doing::Publish, exchange, "write"),
            (Doing::Consume, queue, "read"),
        ] {
            let advice = advice(&said("", what), doing).unwrap();
            let expected = format!(
                "the user \"u1\" lacks the {permission} permission for {what}; grant it beside the user's others: rabbitmqctl set_permissions -p /logs u1 "
            );
            assert!(advice.starts_with(&expected), "{advice}");
        }
        for kind in KINDS {
            let advice = advice(&said(&format!("{kind} "), queue), Doing::Bind).unwrap();
            assert!(
                advice.contains(&format!("lacks the {kind} permission for {queue};")),
                "{advice}"
            );
        }
    }

    #[test]
    fn other_refusals_are_none_of_it() {
        for text in [
            "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN",
            "NOT_FOUND - x",
        ] {
            assert_eq!(advice(text, Doing::Publish), None);
        }
    }
}
