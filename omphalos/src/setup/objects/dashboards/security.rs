//! What access logs show of those who try doors.

use super::{CLIENTS, IS_REQUEST};
use crate::setup::objects::panel::{
    Dashboard, Figure, HALF, HEAD, Look, SMALL, Split, THIRD, WIDE, panel,
};

/// Paths that are asked for to find out what is installed.
const PROBES: &str = r"url.path:(*wp-login* OR *wp-admin* OR *xmlrpc.php* OR *phpmyadmin* OR *phpMyAdmin* OR *.env OR *\/.git\/* OR *\/cgi-bin\/* OR *etc\/passwd* OR *\/actuator* OR *\/.aws\/*)";
/// Queries that try to be more than data.
const INJECTIONS: &str = r"url.query:(*union*select* OR *UNION*SELECT* OR *%3Cscript* OR *<script* OR *..\/* OR *..%2F* OR *..%2f* OR *jndi%3A* OR *jndi\:* OR *etc\/passwd* OR *%2Fetc%2Fpasswd*)";
/// Agents that say what they are.
const SCANNERS: &str = "user_agent.original:(*sqlmap* OR *nikto* OR *Nikto* OR *nmap* OR *Nmap* OR *masscan* OR *zgrab* OR *gobuster* OR *nuclei* OR *Nuclei* OR *WPScan* OR *Wfuzz*)";
const REFUSED: &str = "http.response.status_code:(401 OR 403)";
/// [`PROBES`] that found something.
const ANSWERED: &str = r"http.response.status_code:[200 TO 299] AND url.path:(*wp-login* OR *wp-admin* OR *xmlrpc.php* OR *phpmyadmin* OR *phpMyAdmin* OR *.env OR *\/.git\/* OR *\/cgi-bin\/* OR *etc\/passwd* OR *\/actuator* OR *\/.aws\/*)";

/// Tried doors.
pub(super) const SECURITY: Dashboard = Dashboard {
    id: "security",
    title: "Security of web servers",
    description: "What access logs show of those who try doors: refused logins, probes, scanners, queries that are more than data. It finds the clumsy; it is no intrusion detection.",
    panels: &[
        panel(
            ("head", "Dashboards"),
            Look::Text(
                "Seen in access logs alone. Nothing here proves an attack, and a careful one is not here.",
            ),
            "",
            HEAD,
        ),
        panel(("refused", "Refused (401, 403)"), Look::Number(Figure::Count), REFUSED, SMALL),
        panel(("probes", "Probes"), Look::Number(Figure::Count), PROBES, SMALL),
        panel(("injections", "Suspicious queries"), Look::Number(Figure::Count), INJECTIONS, SMALL),
        panel(("scanners", "Requests of scanners"), Look::Number(Figure::Count), SCANNERS, SMALL),
        panel(
            ("kinds-over-time", "What was tried"),
            Look::OverTime(
                Figure::Count,
                Some(Split::Filters(&[
                    ("refused", REFUSED),
                    ("probes", PROBES),
                    ("suspicious queries", INJECTIONS),
                    ("scanners", SCANNERS),
                ])),
            ),
            IS_REQUEST,
            WIDE,
        ),
        panel(
            ("refused-clients", "Who is refused"),
            Look::Top(
                &[
                    Figure::Count,
                    Figure::Different("user.name", "Users"),
                    Figure::Different("url.path", "Paths"),
                ],
                &[("source.address", 20)],
            ),
            REFUSED,
            HALF,
        ),
        panel(
            ("wanderers", "Who asks for the most paths that are not there"),
            Look::Top(
                &[Figure::Different("url.path", "Paths"), Figure::Count],
                &[("source.address", 20)],
            ),
            "http.response.status_code:404",
            HALF,
        ),
        panel(
            ("probed", "What is probed"),
            Look::Top(
                &[Figure::Count, CLIENTS],
                &[("url.path", 20), ("http.response.status_code", 3)],
            ),
            PROBES,
            HALF,
        ),
        panel(
            ("answered", "Probes that were answered (2xx)"),
            Look::Top(&[Figure::Count], &[("url.path", 20), ("source.address", 5)]),
            ANSWERED,
            HALF,
        ),
        panel(
            ("users", "Users that are refused"),
            Look::Top(&[Figure::Count, CLIENTS], &[("user.name", 20)]),
            REFUSED,
            THIRD,
        ),
        panel(
            ("agents", "Scanners"),
            Look::Top(&[Figure::Count, CLIENTS], &[("user_agent.original", 20)]),
            SCANNERS,
            THIRD,
        ),
        panel(
            ("methods", "Unusual methods"),
            Look::Top(&[Figure::Count, CLIENTS], &[("http.request.method", 20)]),
            "_exists_:http.request.method AND NOT http.request.method:(GET OR POST OR HEAD OR PUT OR DELETE OR PATCH OR OPTIONS)",
            THIRD,
        ),
        panel(
            ("queries", "Suspicious queries"),
            Look::Top(&[Figure::Count], &[("source.address", 10), ("url.query", 10)]),
            INJECTIONS,
            WIDE,
        ),
    ],
};
