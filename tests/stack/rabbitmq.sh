#!/usr/bin/env bash
# Runs one private RabbitMQ node in the foreground, on 127.0.0.1 only, with all its state in one folder. A later start on
# the same folder, after any kind of end, finds node and data again.
#
# Usage: rabbitmq.sh DIR PORT [KEY=VALUE...]
#   PORT       the AMQP port; 0 picks a free one
#   KEY=VALUE  further lines of rabbitmq.conf, as consumer_timeout=10000 or listeners.ssl.default=127.0.0.1:5671, and
#              channel_tick_interval, which is how often (ms) channels look at that timeout
#   node=NAME    the node is NAME@localhost; rabbit@localhost where it is not said
#   cluster=DIR  the folder of a running epmd.sh: nodes with the same one and names of their own can be joined
#   plugins=NAME[,NAME...]  plugins that come with RabbitMQ and are to be used, such as rabbitmq_shovel
# Prints `READY amqp://guest:guest@127.0.0.1:PORT pid=PID` once a client can log in; the pid is the Erlang VM's.
# Stops on SIGTERM, SIGINT or the end of standard input. Exits with 1 where the node does not start or ends by itself.
# In DIR: pid, log (all output), rabbitmq.conf, ports, data/, and rabbitmqctl, which talks to this very node.
set -eu
. "$(dirname "$0")/lib.sh"
. "$here/serve.sh"

[ $# -ge 2 ] || die "usage: rabbitmq.sh DIR PORT [KEY=VALUE...]"
"$here/install.sh" rabbitmq >&2
sbin=$(rabbitmq_sbin)
claim "$1"
port=''
take_port port "$2"
shift 2
node=rabbit cluster='' names='' settings=()
for word in "$@"; do
    case $word in
    node=*) node=${word#*=} ;;
    cluster=*) cluster=${word#*=} ;;
    plugins=*) names=${word#*=} ;;
    *) settings+=("$word") ;;
    esac
done

# The ports of epmd and of the Erlang distribution stay with the folder while they are free. A node that is in no cluster has
# an epmd and a cookie of its own, so equal names never meet.
read -r epmd_port distribution_port 2>/dev/null <"$dir/ports" || epmd_port='' distribution_port=''
if [ -n "$cluster" ]; then
    read -r epmd_port <"$cluster/port" || die "no epmd.sh was ever started in $cluster"
    install -m 400 "$cluster/.erlang.cookie" "$dir"
elif [ -z "$distribution_port" ] || ! reserve "$epmd_port"; then
    choose_port epmd_port
fi
if [ -z "$distribution_port" ] || ! reserve "$distribution_port"; then
    choose_port distribution_port
fi
echo "$epmd_port $distribution_port" >"$dir/ports"
make_cookie "$dir"

# Alarms are for tests to raise, not for a busy small machine. A VALUE given by the caller replaces the line here.
# channel_tick_interval is not a word of rabbitmq.conf, at least not of 3.10's, but one of the older form of configuration.
configure() {
    local given=" $*" setting
    case $given in *' disk_free_limit.'*) ;; *) echo 'disk_free_limit.absolute = 50MB' ;; esac
    case $given in *' vm_memory_high_watermark.'*) ;; *) echo 'vm_memory_high_watermark.absolute = 2GB' ;; esac
    for setting in "$@"; do
        case $setting in
        channel_tick_interval=*) echo "[{rabbit, [{channel_tick_interval, ${setting#*=}}]}]." >"$dir/advanced.config" ;;
        ?*=*) echo "${setting%%=*} = ${setting#*=}" ;;
        *) die "not of the form KEY=VALUE: $setting" ;;
        esac
    done
}
echo '[].' >"$dir/advanced.config"
configure "${settings[@]}" >"$dir/rabbitmq.conf"
echo "[$names]." >"$dir/enabled_plugins"

# The caller's environment stays outside: a RABBITMQ_ or ERL_ variable in it would change the node. ERL_FLAGS reaches
# every Erlang VM, also the ones of rabbitmqctl: it keeps the distribution on the loopback, and epmd ours (else each VM that
# finds none starts one, which stays: even rabbitmqctl, when the node is down). A crash dump of a node that
# refuses its settings says no more than the log.
environment=(
    "PATH=$PATH" "HOME=$dir" LANG=C.UTF-8 "ERL_EPMD_PORT=$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
    'ERL_FLAGS=-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}'
    ERL_CRASH_DUMP_SECONDS=0 "RABBITMQ_NODENAME=$node@localhost" RABBITMQ_CONF_ENV_FILE=/dev/null
)
node_environment=(
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 "RABBITMQ_NODE_PORT=$port" "RABBITMQ_DIST_PORT=$distribution_port"
    "RABBITMQ_MNESIA_BASE=$dir/data" "RABBITMQ_LOG_BASE=$dir" RABBITMQ_LOGS=- "RABBITMQ_PID_FILE=$dir/pid"
    "RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins"
)
# see install.sh; a plugin has others that it needs, which the index leaves out
index=$(rabbitmq_index "$sbin")
if [ -z "$names" ] && [ -d "$index/modules" ]; then
    node_environment+=("RABBITMQ_PLUGINS_DIR=$index/plugins" "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-pa $index/modules")
fi

# Ports 0 let the kernel choose: the default range has room for eleven commands at a time on the whole machine.
{
    echo '#!/usr/bin/env bash'
    echo "# runs rabbitmqctl against the node of this folder; usage: rabbitmqctl COMMAND [ARGUMENT...]"
    printf 'exec env -i'
    printf ' %q' "${environment[@]}" RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0 "$sbin/rabbitmqctl"
    # shellcheck disable=SC2016 # for the script written here
    echo ' "$@"'
} >"$dir/rabbitmqctl"
chmod +x "$dir/rabbitmqctl"

# Logs in as guest for real: the client's half of the handshake, sent at once, as bytes (start-ok with PLAIN, tune-ok,
# open of "/", close). The node answers with open-ok only where it accepted all of it.
client_half='AMQP\0\0\11\1'
client_half+='\1\0\0\0\0\0\44\0\12\0\13\0\0\0\0\5PLAIN\0\0\0\14\0guest\0guest\5en_US\316'
client_half+='\1\0\0\0\0\0\14\0\12\0\37\0\1\0\0\40\0\0\0\316'
client_half+='\1\0\0\0\0\0\10\0\12\0\50\1/\0\0\316'
client_half+='\1\0\0\0\0\0\13\0\12\0\62\0\310\0\0\0\0\0\316'
# type 1, channel 0, length 5, method 10.41: a frame ends with \316, and bash drops the zero bytes
open_ok=$'\1\5\12\51'
# shellcheck disable=SC2317 # serve calls it
can_log_in() (
    exec 2>/dev/null 4<>"/dev/tcp/127.0.0.1/$port" || return 1
    # shellcheck disable=SC2059 # the bytes are the format
    printf "$client_half" >&4
    LC_ALL=C
    while IFS='' read -r -t 5 -d $'\316' frame <&4; do
        [ "$frame" != "$open_ok" ] || return 0
    done
    return 1
)

if [ -z "$cluster" ]; then
    helper env -i "${environment[@]}" "$(epmd)" -port "$epmd_port" -address 127.0.0.1 >>"$log" 2>&1 </dev/null
    name="rabbitmq on port $port"
    until listens "${helpers[0]}" "$epmd_port"; do
        if ! kill -0 "${helpers[0]}" 2>/dev/null; then
            # it says nothing itself
            [ -z "$(listeners "$epmd_port")" ] || begin_again "$port"
            die "epmd could not take port $epmd_port; see $log"
        fi
        sleep 0.01
    done
fi
spawn env -i "${environment[@]}" "${node_environment[@]}" "$sbin/rabbitmq-server"
serve "rabbitmq on port $port" "amqp://guest:guest@127.0.0.1:$port" can_log_in
