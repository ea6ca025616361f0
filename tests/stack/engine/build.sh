# shellcheck shell=bash disable=SC2154 # lib.sh sets `cache` and `here`
# Builds an engine's home in the cache from the sources beside this file: java.args, with which `java` starts the engine
# (class path, class archive, options), launcher.jar, and the archive. The jars stay in the cache's Maven repository.
#
# Usage: . "$here/engine/build.sh"; install_engine es9|es7|opensearch    (by install.sh only, whose functions it uses)

# Prints a JDK of at least version MIN that has TOOL, after installing Debian's where that helps.
need_jdk() {
    local min=$1 tool=$2 for_what=$3 offered
    find_jdk "$min" "$tool" && return
    as_root apt-get update >/dev/null 2>&1 || :
    offered=$(apt-cache pkgnames openjdk- 2>/dev/null | sed -n 's/^openjdk-\([0-9]*\)-jdk-headless$/\1/p' |
        sort -n | awk -v min="$min" '$1 >= min && ($1 <= 25 || !best) { best = $1 } END { print best }')
    [ -n "$offered" ] || die "$for_what needs Java $min or newer and neither this machine nor its Debian has one:" \
        "install a JDK in /usr/lib/jvm or set JAVA_HOME (https://adoptium.net), or use es7, which runs on Debian's Java 17"
    apt_install "280 MB" "openjdk-$offered-jdk-headless"
    find_jdk "$min" "$tool" || die "openjdk-$offered-jdk-headless is installed but has no bin/$tool in /usr/lib/jvm"
}

# The jars stay in the local Maven repository in the cache; the engine's folder has their list only.
fetch_jars() {
    local engine=$1 compiler_jdk=$2
    command -v mvn >/dev/null || apt_install "30 MB" maven
    say "fetching the jars of $engine from Maven Central (mvn), 35 to 70 MB unless they are in $cache/m2"
    # -C: a jar whose checksum is wrong is refused, not warned about
    JAVA_HOME=$compiler_jdk mvn -q -B -C -f "$here/engine/$engine.xml" "-Dmaven.repo.local=$cache/m2" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath -DincludeScope=runtime \
        "-Dmdep.outputFile=$work/classpath" >"$work/mvn.log" 2>&1 </dev/null || {
        show_log "$work/mvn.log"
        die "mvn could not fetch the jars of $engine"
    }
}

# Starts the node once, does a little work with it, and keeps what the JVM learned: an ahead-of-time cache where the JDK has
# that (25), else a class-data archive. It shortens each later start to a third or less.
archive_classes() {
    local engine=$1 jdk=$2 version=$3 home=$4 archive training use
    if [ "$version" -ge 25 ]; then
        archive=$home/classes.aot training=-XX:AOTCacheOutput= use=-XX:AOTCache=
    else
        archive=$home/classes.jsa training=-XX:ArchiveClassesAtExit= use=-XX:SharedArchiveFile=
    fi
    say "starting $engine once to archive its classes, about 20 s"
    if timeout 300 "$jdk/bin/java" "@$home/java.new" -Xms512m -Xmx512m "-Djava.io.tmpdir=$work" -Dlauncher.train=true \
        "$training$archive" Launcher "path.home=$work/node" >"$work/training.log" 2>&1 </dev/null && [ -s "$archive" ]; then
        echo "\"$use$archive\"" >>"$home/java.new"
    else
        show_log "$work/training.log"
        say "no class archive for $engine: it works without, but starts slowly; delete $home to try again"
    fi
}

install_engine() {
    local engine=$1 jdk home compiler_jdk version
    jdk=$(need_jdk "$(engine_java "$engine")" java "$engine")
    compiler_jdk=$(need_jdk 17 javac "the launcher of $engine")
    version=$(jdk_version "$jdk")
    home=$(engine_home "$engine" "$jdk")
    work=$(mktemp -d "$cache/building.XXXXXX")
    rm -rf "$home"
    mkdir -p "$home"
    fetch_jars "$engine" "$compiler_jdk"
    "$compiler_jdk/bin/javac" --release 17 -d "$work/classes" "$here"/engine/*.java
    # a jar, because the JVM archives no classes from folders
    "$compiler_jdk/bin/jar" --create --file "$home/launcher.jar" -C "$work/classes" .
    {
        echo "-cp \"$(cat "$work/classpath"):$home/launcher.jar\""
        echo "-XX:+UseSerialGC -XX:-UsePerfData"
        # warnings about the archive and about incubating modules help nobody here
        echo "-Xlog:disable -Xlog:all=error:stderr"
        echo "-Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true -Dorg.apache.logging.log4j.level=WARN"
        [ "$version" -lt 23 ] || echo "--sun-misc-unsafe-memory-access=allow"
        [ "$version" -lt 22 ] || echo "--enable-native-access=ALL-UNNAMED"
    } >"$home/java.new"
    archive_classes "$engine" "$jdk" "$version" "$home"
    # its presence says that the rest is complete
    mv "$home/java.new" "$home/java.args"
    rm -rf "$work"
    work=''
    # homes built from other versions of these sources, unless another checkout used them in the last day
    find "$cache" -maxdepth 1 -name "$engine-*" -mtime +0 -exec rm -rf {} +
}
