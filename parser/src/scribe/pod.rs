//! What the path of a container's log says of where the lines come from.
//!
//! kubelet names the directories and files below `/var/log/pods`
//! (<https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>), and the links
//! in `/var/log/containers`, which older collectors read
//! (<https://kubernetes.io/docs/concepts/cluster-administration/logging/>); Docker has a directory for each container:
//!
//! ```text
//! /var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log
//! /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
//! /var/lib/docker/containers/ID/ID-json.log
//! ```
//!
//! The last names alone are looked at, because hosts mount these directories elsewhere. Nothing is asked of an
//! API, and nothing guessed: a path that is not of one of these forms to the letter, with names that Kubernetes
//! allows, says nothing.

/// A field and its value as JSON.
pub type PathField = (Box<str>, String);

/// The fields of the documents of the file at `path`; none where it is that of no container.
pub fn fields(path: &[u8]) -> Vec<PathField> {
    let mut names = path.rsplit(|byte| *byte == b'/').map(|name| std::str::from_utf8(name).ok());
    let mut next = || names.next().flatten();
    let Some(file) = next() else { return Vec::new() };
    let (directory, above) = (next(), next());
    let found = of_link(file)
        .or_else(|| of_pod(file, directory?, above?))
        .or_else(|| of_docker(file, directory?));
    let found = found.unwrap_or_default().into_iter();
    // Each value has been found to be of letters, digits, dashes and dots.
    found.map(|(name, value)| (Box::from(name), format!("\"{value}\""))).collect()
}

type Found<'p> = Vec<(&'static str, &'p str)>;

/// `RESTARTS.log` below `NAMESPACE_POD_UID/CONTAINER`.
fn of_pod<'p>(file: &str, container: &'p str, pod: &'p str) -> Option<Found<'p>> {
    let digits = file.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || !is_log(file.get(digits..)?) || !is_label(container) {
        return None;
    }
    let [namespace, pod, uid] = parts(pod)?;
    if !is_label(namespace) || !is_subdomain(pod) || !is_uid(uid) {
        return None;
    }
    let mut found = in_pod(namespace, pod, container);
    found.push(("kubernetes.pod.uid", uid));
    Some(found)
}

/// `POD_NAMESPACE_CONTAINER-ID.log`.
fn of_link(file: &str) -> Option<Found<'_>> {
    let [pod, namespace, rest] = parts(file)?;
    let (container, rest) = rest.rsplit_once('-')?;
    let (id, end) = rest.split_at_checked(ID_DIGITS)?;
    if !is_subdomain(pod)
        || !is_label(namespace)
        || !is_label(container)
        || !is_id(id)
        || !is_log(end)
    {
        return None;
    }
    let mut found = in_pod(namespace, pod, container);
    found.push(("container.id", id));
    Some(found)
}

/// `ID-json.log` below `ID`.
fn of_docker<'p>(file: &str, id: &'p str) -> Option<Found<'p>> {
    let end = file.strip_prefix(id)?.strip_prefix("-json")?;
    (is_id(id) && is_log(end)).then(|| vec![("container.id", id)])
}

fn in_pod<'p>(namespace: &'p str, pod: &'p str, container: &'p str) -> Found<'p> {
    vec![
        ("orchestrator.namespace", namespace),
        ("kubernetes.namespace", namespace),
        ("kubernetes.pod.name", pod),
        ("kubernetes.container.name", container),
    ]
}

/// The three parts of a name: what Kubernetes joins has no underscore of its own.
fn parts(name: &str) -> Option<[&str; 3]> {
    let mut parts = name.split('_');
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

/// `.log`, or the same with what a rotation appends: `.log.20261201-030000.gz`.
fn is_log(end: &str) -> bool {
    end.strip_prefix(".log").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A label by RFC 1123, which namespaces and containers are
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).
fn is_label(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(is_allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Labels with dots between them, which the name of a pod is.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A UUID; of a pod that kubelet has from a file, the hash of that.
fn is_uid(uid: &str) -> bool {
    let is_group = |(part, length): (&str, usize)| part.len() == length && is_hexadecimal(part);
    let lengths: &[usize] = if uid.contains('-') { &[8, 4, 4, 4, 12] } else { &[32] };
    uid.split('-').count() == lengths.len()
        && uid.split('-').zip(lengths.iter().copied()).all(is_group)
}

/// The ids of containers have so many digits.
const ID_DIGITS: usize = 64;

fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && is_hexadecimal(id)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_common::ecs::{FIELDS, FieldType};
    use proptest::prelude::*;

    const UID: &str = "8c4f5f0e-1b2a-4c3d-9e8f-001122334455";
    const ID: &str = "f0a9b3b5c2d1e4f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4";

    fn read(path: &str) -> Vec<(String, String)> {
        let fields = fields(path.as_bytes()).into_iter();
        fields.map(|(name, json)| (name.into(), serde_json::from_str(&json).unwrap())).collect()
    }

    fn expected(
        namespace: &str,
        pod: &str,
        container: &str,
        more: (&str, &str),
    ) -> Vec<(String, String)> {
        let fields = [
            ("orchestrator.namespace", namespace),
            ("kubernetes.namespace", namespace),
            ("kubernetes.pod.name", pod),
            ("kubernetes.container.name", container),
            more,
        ];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn each_form_is_read() {
        let of_pod = expected("shop", "web-7d.x", "nginx", ("kubernetes.pod.uid", UID));
        for path in [
            format!("/var/log/pods/shop_web-7d.x_{UID}/nginx/0.log"),
            format!("/host/logs/shop_web-7d.x_{UID}/nginx/12.log.20261201-030000"),
            format!("shop_web-7d.x_{UID}/nginx/12.log.20261201-030000.gz"),
        ] {
            assert_eq!(read(&path), of_pod, "{path}");
        }
        let hash = "3f1a5b7c9d2e4f60718293a4b5c6d7e8";
        let from_file = format!("/var/log/pods/kube-system_etcd-node1_{hash}/etcd/3.log");
        let of_file = expected("kube-system", "etcd-node1", "etcd", ("kubernetes.pod.uid", hash));
        assert_eq!(read(&from_file), of_file);
        let link = format!("/var/log/containers/web-7d.x_shop_side-car-{ID}.log");
        assert_eq!(read(&link), expected("shop", "web-7d.x", "side-car", ("container.id", ID)));
        let docker = format!("/var/lib/docker/containers/{ID}/{ID}-json.log.1");
        assert_eq!(read(&docker), [("container.id".to_owned(), ID.to_owned())]);
    }

    #[test]
    fn every_field_has_its_type_in_the_index() {
        let link = format!("p_n_c-{ID}.log");
        for path in [format!("n_p_{UID}/c/0.log"), link] {
            for (name, _) in fields(path.as_bytes()) {
                let field = FIELDS.iter().find(|(field, _)| **field == *name);
                assert!(matches!(field, Some((_, FieldType::Keyword))), "{name}");
            }
        }
    }

    #[test]
    fn what_is_nearly_such_a_path_says_nothing() {
        let long = "a".repeat(64);
        let longest = ["a"; 128].join(".");
        let short = |text: &str| text.split_at(1).1.to_owned();
        for path in [
            String::new(),
            "/".to_owned(),
            "/var/log/nginx/access.log".to_owned(),
            format!("/var/log/pods/shop_web_{UID}/nginx/x0.log"),
            format!("/var/log/pods/shop_web_{UID}/nginx/.log"),
            format!("/var/log/pods/shop_web_{UID}/nginx/0.logs"),
            format!("/var/log/pods/shop_web_{UID}/nginx/0.txt"),
            format!("/var/log/pods/shop_web_{UID}/nginx/"),
            format!("/var/log/pods/shop_web_{UID}/0.log"),
            format!("/var/log/pods/shop_web_{UID}_x/nginx/0.log"),
            "/var/log/pods/shop_web/nginx/0.log".to_owned(),
            format!("/var/log/pods/shop__{UID}/nginx/0.log"),
            format!("/var/log/pods/Shop_web_{UID}/nginx/0.log"),
            format!("/var/log/pods/shop_-web_{UID}/nginx/0.log"),
            format!("/var/log/pods/shop_web._{UID}/nginx/0.log"),
            format!("/var/log/pods/shop_{longest}_{UID}/nginx/0.log"),
            format!("/var/log/pods/{long}_web_{UID}/nginx/0.log"),
            format!("/var/log/pods/shop_web_{UID}/ngi\"nx/0.log"),
            format!("/var/log/pods/shop_web_{}/nginx/0.log", short(UID)),
            format!("/var/log/pods/shop_web_{}/nginx/0.log", UID.to_uppercase()),
            format!("/var/log/pods/shop_web_{}/nginx/0.log", UID.replace('-', "")),
            format!("/var/log/pods/shop_web_{UID}-0000/nginx/0.log"),
            format!("/var/log/containers/web_shop_nginx-{}.log", short(ID)),
            format!("/var/log/containers/web_shop_nginx-{ID}0.log"),
            format!("/var/log/containers/web_shop_{ID}.log"),
            format!("/var/log/containers/web_shop_nginx-{ID}"),
            format!("/var/lib/docker/containers/x/{ID}-json.log"),
            "/var/lib/docker/containers/x/x-json.log".to_owned(),
        ] {
            let expects_nothing = !path.contains(&UID.replace('-', ""));
            assert_eq!(read(&path).is_empty(), expects_nothing, "{path}");
        }
        assert!(fields(format!("n_p_{UID}/\u{fffd}/0.log").as_bytes()).is_empty());
        assert!(fields([b"n_p_", UID.as_bytes(), b"/\xff/0.log"].concat().as_slice()).is_empty());
    }

    /// Names as Kubernetes allows them.
    fn label() -> impl Strategy<Value = String> {
        "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?"
    }

    proptest! {
        #[test]
        fn names_that_kubernetes_allows_come_back(
            namespace in label(), pod in proptest::collection::vec(label(), 1..4),
            container in label(), restarts in any::<u16>(),
            uid in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id in "[0-9a-f]{64}",
        ) {
            let pod = pod.join(".");
            let path = format!("/var/log/pods/{namespace}_{pod}_{uid}/{container}/{restarts}.log");
            let found = expected(&namespace, &pod, &container, ("kubernetes.pod.uid", &uid));
            prop_assert_eq!(read(&path), found);
            let path = format!("/var/log/containers/{pod}_{namespace}_{container}-{id}.log");
            prop_assert_eq!(read(&path), expected(&namespace, &pod, &container, ("container.id", &id)));
        }

        #[test]
        fn no_path_makes_a_value_that_does_not_stand_in_it(
            mut path in prop_oneof![
                Just(format!("/var/log/pods/shop_web_{UID}/nginx/0.log").into_bytes()),
                Just(format!("/var/log/containers/web_shop_nginx-{ID}.log").into_bytes()),
                Just(format!("{ID}/{ID}-json.log").into_bytes()),
                proptest::collection::vec(any::<u8>(), 0..200),
            ],
            edits in proptest::collection::vec((0..120usize, any::<u8>()), 0..4),
        ) {
            for (at, byte) in edits {
                let at = at.min(path.len());
                path.splice(at..path.len().min(at + 1), [byte]);
            }
            for (_, json) in fields(&path) {
                let value: String = serde_json::from_str(&json).expect("a text");
                prop_assert_eq!(&json, &format!("\"{value}\""), "nothing in it is escaped");
                prop_assert!(value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')));
                prop_assert!(memchr::memmem::find(&path, value.as_bytes()).is_some());
            }
        }
    }
}
