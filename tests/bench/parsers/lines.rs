//! The same requests as lines of many formats, so that what their parsers cost can be compared.

use std::fmt::Write as _;

use omphalos_tests::generate::Generator;

/// As the Common Log Format calls them.
const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// The combined format as nginx's own string,
pub const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// nginx's `main`,
pub const MAIN: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" \"$http_x_forwarded_for\"";

/// and combined with one variable more behind it, so that no parser knows it as a whole.
pub const WITH_LENGTH: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $request_length";

/// The columns that IIS writes.
const COLUMNS: &str = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-bytes time-taken\n";

/// The lines of each format, with their ends.
#[derive(Default)]
pub struct Lines {
    pub combined: String,
    pub with_length: String,
    pub main: String,
    pub w3c: String,
    pub old_syslog: String,
    pub new_syslog: String,
    pub logfmt: String,
    pub haproxy: String,
    pub json: String,
}

impl Lines {
    /// So many lines of each, always the same ones but for their time.
    pub fn draw(count: usize) -> Self {
        let mut generator = Generator::new(1);
        let mut lines = Self { w3c: COLUMNS.to_owned(), ..Self::default() };
        let mut line = String::new();
        for number in 0..count {
            line.clear();
            generator.line(&mut line);
            lines.add(&Request::of(line.trim_end(), number));
        }
        lines
    }

    fn add(&mut self, request: &Request<'_>) {
        let Request { line, client, user, status, size, referrer, agent, .. } = request;
        let Request { number, clf_time, request_line, method, path, query, .. } = request;
        let Request { month, date, clock, .. } = request;
        let (millis, port, length) = (number % 997, 1024 + number % 50_000, 300 + number % 800);
        let forwarded = if number % 4 == 0 { client } else { "-" };
        let day = date.get(8..).expect("a date has a day");
        let agent_of_w3c = agent.replace(' ', "+");
        let message = format!(
            "connection {number} from {client} port {port}: {request_line} answered with {status}, {size} bytes in {millis} ms"
        );
        let add = |text: &mut String, line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a text takes all");
            text.push('\n');
        };
        add(&mut self.combined, format_args!("{line}"));
        add(&mut self.with_length, format_args!("{line} {length}"));
        add(&mut self.main, format_args!("{line} \"{forwarded}\""));
        add(
            &mut self.w3c,
            format_args!(
                "{date} {clock} 10.0.0.5 {method} {path} {query} 443 {user} {client} {agent_of_w3c} {referrer} {status} {size} {millis}"
            ),
        );
        add(
            &mut self.old_syslog,
            format_args!("{month} {day} {clock} web1 gatekeeper[{port}]: {message}"),
        );
        add(
            &mut self.new_syslog,
            format_args!(
                "<165>1 {date}T{clock}.{millis:03}Z web1.example.com gatekeeper {port} ID{number} [request@32473 client=\"{client}\" status=\"{status}\"] {message}"
            ),
        );
        add(
            &mut self.logfmt,
            format_args!(
                "time={date}T{clock}.{millis:03}Z level=info msg=\"request is answered\" method={method} path={path} status={status} size={size} client={client} duration={millis}ms agent=\"{agent}\""
            ),
        );
        add(
            &mut self.haproxy,
            format_args!(
                "{month} {day} {clock} lb1 haproxy[812]: {client}:{port} [{clf_time}.{millis:03}] web~ app/srv{} 0/0/1/{millis}/{length} {status} {size} - - ---- {}/{}/1/0/0 0/0 {{{agent}}} {{}} \"{request_line}\"",
                number % 9,
                number % 300,
                number % 200,
            ),
        );
        add(
            &mut self.json,
            format_args!(
                "{{\"level\":\"info\",\"ts\":\"{date}T{clock}.{millis:03}Z\",\"logger\":\"http\",\"msg\":\"request is answered\",\"method\":\"{method}\",\"path\":\"{path}\",\"status\":{status},\"size\":{size},\"client\":\"{client}\",\"duration_ms\":{millis},\"agent\":\"{agent}\"}}"
            ),
        );
    }
}

/// A request, taken out of its combined line.
struct Request<'a> {
    line: &'a str,
    number: usize,
    client: &'a str,
    user: &'a str,
    /// `22/Nov/2026:12:15:00`
    clf_time: &'a str,
    /// `Nov`
    month: &'a str,
    /// `2026-11-22`
    date: String,
    /// `12:15:00`
    clock: &'a str,
    request_line: &'a str,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    status: &'a str,
    size: &'a str,
    referrer: &'a str,
    agent: &'a str,
}

impl<'a> Request<'a> {
    /// Of a line as [`Generator`] draws it.
    fn of(line: &'a str, number: usize) -> Self {
        let quoted: Vec<&str> = line.split('"').collect();
        let [head, request_line, numbers, referrer, _, agent, _] = quoted[..] else {
            panic!("not as it was drawn: {line}")
        };
        let words: Vec<&str> = head.split(' ').collect();
        let [client, _, user, time, _, _] = words[..] else { panic!("another head: {line}") };
        let (status, size) = numbers.trim().split_once(' ').expect("two numbers");
        let (method, rest) = request_line.split_once(' ').expect("a method");
        let (target, _) = rest.split_once(' ').expect("a version");
        let (path, query) = target.split_once('?').unwrap_or((target, "-"));
        let clf_time = time.trim_start_matches('[');
        let (clf_date, clock) = clf_time.split_once(':').expect("a time behind the date");
        let parts: Vec<&str> = clf_date.split('/').collect();
        let [day, month, year] = parts[..] else { panic!("another date: {line}") };
        let month_number = MONTHS.find(month).expect("a month") / 3 + 1;
        let date = format!("{year}-{month_number:02}-{day}");
        Self {
            line,
            number,
            client,
            user,
            clf_time,
            month,
            date,
            clock,
            request_line,
            method,
            path,
            query,
            status,
            size,
            referrer,
            agent,
        }
    }
}
