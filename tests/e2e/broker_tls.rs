//! TLS to a real broker: whom we trust, and whom the broker knows by a certificate alone (SASL EXTERNAL).

use std::fs;

use omphalos_tests::{LogFile, Program, Stack, free_port};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use tempfile::TempDir;

/// A user that has no password: its certificate bears its name.
const USER: &str = "omphalos-shipper-web1";

/// What an operator makes: an authority, and certificates of the broker and of hosts.
struct Certificates {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let directory = TempDir::with_prefix("omphalos-tls-").expect("a directory");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { directory, authority }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a PEM file");
        path.display().to_string()
    }

    fn authority(&self) -> String {
        self.file("ca.pem", &self.authority.pem())
    }

    /// The files of a certificate and its key, for whoever is called so, at these addresses.
    fn make(&self, name: &str, addresses: &[&str]) -> [String; 2] {
        let addresses: Vec<String> = addresses.iter().map(|one| (*one).to_owned()).collect();
        let mut params = CertificateParams::new(addresses).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
        let pem = self.file(&format!("{name}.pem"), &certificate.pem());
        [pem, self.file(&format!("{name}.key"), &key.serialize_pem())]
    }

    /// A broker that speaks TLS at this port, and knows users by their certificates.
    fn broker(&self, port: u16) -> Stack {
        let [certificate, key] = self.make("broker", &["127.0.0.1", "localhost"]);
        let settings = [
            "plugins=rabbitmq_auth_mechanism_ssl".to_owned(),
            format!("listeners.ssl.default=127.0.0.1:{port}"),
            format!("ssl_options.cacertfile={}", self.authority()),
            format!("ssl_options.certfile={certificate}"),
            format!("ssl_options.keyfile={key}"),
            "ssl_options.verify=verify_peer".to_owned(),
            "ssl_options.fail_if_no_peer_cert=false".to_owned(),
            "ssl_cert_login_from=common_name".to_owned(),
            "auth_mechanisms.1=EXTERNAL".to_owned(),
            "auth_mechanisms.2=PLAIN".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Stack::with_broker(&settings)
    }
}

/// A shipper of a log to the port with TLS.
fn shipper(stack: &Stack, log: &LogFile, name: &str, url: &str) -> Program {
    Program::new("omphalos-shipper", &stack.path(&format!("{name}.log")))
        .arg(log.path().display())
        .args(["--parser", "combined", "--host-name", "web1"])
        .option("--state-dir", stack.path(name).display())
        .option("--amqp-url", url)
}

#[test]
fn authorities_are_trusted_where_they_are_given_and_a_certificate_is_a_user_without_a_password() {
    let certificates = Certificates::new();
    let (ca, port) = (certificates.authority(), free_port());
    let mut stack = certificates.broker(port);
    let mut log = LogFile::create(&stack.path("access.log"));
    log.append(500);
    let url = format!("amqps://guest:guest@localhost:{port}/%2f");
    let distrustful = shipper(&stack, &log, "distrustful", &url).start();
    distrustful.wait_for_log("the broker's certificate is not trusted");
    distrustful.wait_for_log("give its authority with amqp.ca_file");
    // One that declares, as an indexer does.
    let trusting = shipper(&stack, &log, "trusting", &url).option("--amqp-ca-file", &ca);
    let shipped = trusting.arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);

    let [certificate, key] = certificates.make(USER, &[]);
    let url = format!("amqps://{USER}@localhost:{port}/%2f?auth_mechanism=external");
    let shipping = |log: &LogFile, name: &str| {
        shipper(&stack, log, name, &url)
            .option("--amqp-ca-file", &ca)
            .option("--amqp-client-certificate-file", &certificate)
            .option("--amqp-client-key-file", &key)
            .args(["--amqp-topology", "passive", "--amqp-user-id"])
    };
    let unknown = shipping(&log, "unknown").start();
    unknown.wait_for_log("the broker takes no certificate for a user");
    drop(unknown);
    log.append(500);
    let shipping = shipping(&log, "external");
    let broker = stack.broker();
    for words in [
        &["add_user", USER, "unused"][..],
        &["clear_password", USER],
        &["set_permissions", "-p", "/", USER, "^$", r"^omphalos\.logs(\.watch)?$", "^$"],
    ] {
        broker.rabbitmqctl(words);
    }
    let shipped = shipping.arg("--once").run();
    assert_eq!(shipped.code, Some(0), "{}", shipped.output);
    // Its certificate alone makes the user: with the password that it has not, nobody gets in.
    let with_password = format!("amqps://{USER}:unused@localhost:{port}/%2f");
    let refused = Program::new("omphalos-shipper", &stack.path("password.log"))
        .arg("check")
        .arg(log.path().display())
        .option("--state-dir", stack.path("password").display())
        .option("--amqp-url", &with_password)
        .option("--amqp-ca-file", &ca)
        .run();
    assert!(refused.output.contains("the broker refuses user"), "{}", refused.output);
    assert_eq!(stack.indexer().arg("--drain").run().code, Some(0));
    log.assert_indexed_once(&stack.elastic());
}
