#!/usr/bin/env bash
# Runs one real SMTP server (aiosmtpd) in the foreground, on 127.0.0.1 only, which keeps each mail in a folder.
#
# Usage: smtp.sh DIR PORT [CERTIFICATE KEY PASSWORD [starttls]]
#   PORT         0 picks a free one
#   CERTIFICATE  PEM file; with it and its KEY all is TLS from the start, and only the user "omphalos" with the PASSWORD may send
#   starttls     TLS begins when the client says so, and nothing is taken before
# Prints `READY smtp://127.0.0.1:PORT pid=PID` once it listens. Stops on SIGTERM, SIGINT or the end of standard input. Exits with
# 1 where it does not start or ends by itself. In DIR: pid, log (all output), mails/ with 1.eml, 2.eml and so on.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/serve.sh"

[ $# -eq 2 ] || [ $# -eq 5 ] || [ $# -eq 6 ] || die "usage: smtp.sh DIR PORT [CERTIFICATE KEY PASSWORD [starttls]]"
"$here/install.sh" smtp >&2
claim "$1"
port=''
take_port port "$2"
shift 2

# serve calls it
# shellcheck disable=SC2317
is_ready() { grep -qs '^listening' "$dir/log"; }

: >"$log"
log_start=0
mkdir -p "$dir/mails"
# of Debian, as the library is
spawn /usr/bin/python3 -u "$here/smtp.py" "$port" "$dir/mails" "$@"
echo "$server" >"$dir/pid"
serve "SMTP on port $port" "smtp://127.0.0.1:$port" is_ready
