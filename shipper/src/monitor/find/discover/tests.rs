//! Scans of real directories.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use super::*;

fn names(scan: &Scan, root: &Path) -> Vec<String> {
    let name = |found: &Found| found.path.strip_prefix(root).unwrap().display().to_string();
    scan.found.iter().map(name).collect()
}

fn watched(root: &Path, paths: &[&str], exclude: &[&str]) -> Watched {
    let paths: Vec<String> =
        paths.iter().map(|path| root.join(path).display().to_string()).collect();
    let exclude: Vec<String> = exclude.iter().map(|text| (*text).to_owned()).collect();
    Watched::new(&paths, &exclude).unwrap()
}

fn tree() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in
        ["a.log", "b.log", "b.log.gz", "c.txt", "sub/d.log", "sub/deep/e.log", ".hidden.log"]
    {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }
    directory
}

#[test]
fn files_directories_and_patterns_are_found_once() {
    let tree = tree();
    let root = tree.path();
    for (paths, exclude, expected) in [
        (&["a.log"][..], &[][..], &["a.log"][..]),
        (&["a.log", "*.log", "."], &["*.gz"], &["a.log", "b.log", "c.txt"]),
        (&["**/*.log"], &[], &["a.log", "b.log", "sub/d.log", "sub/deep/e.log"]),
        (&["**/*.log"], &["**/deep/*"], &["a.log", "b.log", "sub/d.log"]),
        (&["sub"], &[], &["sub/d.log"]),
        (&["[ab].log"], &["b*"], &["a.log"]),
    ] {
        let scan = scan(&[watched(root, paths, exclude)]);
        assert_eq!(names(&scan, root), expected, "{paths:?}");
    }
}

#[test]
fn links_to_the_same_file_are_one_file() {
    let tree = tree();
    let root = tree.path();
    symlink(root.join("a.log"), root.join("z.log")).unwrap();
    fs::hard_link(root.join("a.log"), root.join("y.log")).unwrap();
    symlink(root.join("loop.log"), root.join("loop.log")).unwrap();
    symlink(root.join("sub"), root.join("dir.log")).unwrap();
    let scan = scan(&[watched(root, &["*.log"], &[])]);
    assert_eq!(names(&scan, root), ["a.log", "b.log"]);
}

#[test]
fn what_is_missing_or_empty_is_told_apart() {
    let tree = tree();
    let root = tree.path();
    fs::create_dir(root.join("none")).unwrap();
    let scan = scan(&[watched(root, &["nothing.log", "*.none", "none"], &[])]);
    assert_eq!(scan.missing, [root.join("nothing.log")]);
    assert_eq!(
        scan.empty,
        [root.join("*.none").display().to_string(), root.join("none").display().to_string()]
    );
    assert!(Watched::new(&["/a/[".to_owned()], &[]).is_err());
}

/// Creates empty files with all directories above them.
fn files(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
}

fn found(root: &Path, paths: &[&str], exclude: &[&str]) -> Vec<String> {
    names(&scan(&[watched(root, paths, exclude)]), root)
}

fn directories(root: &Path, paths: &[&str], exclude: &[&str]) -> BTreeSet<String> {
    let scan = scan(&[watched(root, paths, exclude)]);
    let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
    scan.directories.iter().map(relative).collect()
}

#[test]
fn each_kind_of_component_matches_what_it_should() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let all = [
        ".h/x.log",
        "a/.x.log",
        "a/x.log",
        "a/y.txt",
        "b/c/.d/x.log",
        "b/c/x.log",
        "b/x.log",
        "x.log",
    ];
    files(root, &all);
    for (pattern, expected) in [
        ("*", &["x.log"][..]),
        ("*/x.log", &["a/x.log", "b/x.log"]),
        ("?/[xy].*", &["a/x.log", "a/y.txt", "b/x.log"]),
        ("[!a]/*.log", &["b/x.log"]),
        ("**/x.log", &["a/x.log", "b/c/x.log", "b/x.log", "x.log"]),
        ("b/**", &["b/c/x.log", "b/x.log"]),
        ("b/**/c/**/*.log", &["b/c/x.log"]),
        ("**/c/*.log", &["b/c/x.log"]),
        ("**/**/*.txt", &["a/y.txt"]),
        (".*/x.log", &[".h/x.log"]),
        ("a/.*", &["a/.x.log"]),
        ("b/*/.d/*.log", &["b/c/.d/x.log"]),
        ("x.log/*", &[]),
    ] {
        assert_eq!(found(root, &[pattern], &[]), expected, "{pattern}");
        let watched = watched(root, &[pattern], &[]);
        let owned: Vec<&str> =
            all.into_iter().filter(|name| watched.owns(&root.join(name))).collect();
        assert_eq!(owned, expected, "{pattern} owns the same");
    }
}

#[test]
fn a_file_belongs_to_the_first_table_that_finds_it() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["a.log", "b.log", "c.txt"]);
    let tables = [watched(root, &["b*"], &[]), watched(root, &["*"], &[])];
    let scan = scan(&tables);
    let inputs: Vec<usize> = scan.found.iter().map(|found| found.input).collect();
    assert_eq!(
        (names(&scan, root).join(" "), inputs),
        ("a.log b.log c.txt".to_owned(), vec![1, 0, 1])
    );
    let again = scan_of_two_patterns(root);
    assert_eq!(again.empty, [] as [String; 0], "found before is not empty");
}

fn scan_of_two_patterns(root: &Path) -> Scan {
    scan(&[watched(root, &["*.log"], &[]), watched(root, &["a.*"], &[])])
}

#[test]
fn an_excluded_tree_is_not_entered() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["log/a.log", "log/private/b.log", "log/private/deep/c.log"]);
    let exclusion = root.join("log/private/**").display().to_string();
    let exclude = [exclusion.as_str()];
    assert_eq!(found(root, &["log/**/*.log"], &exclude), ["log/a.log"]);
    assert_eq!(
        directories(root, &["log/**/*.log"], &exclude),
        BTreeSet::from(["log".to_owned()]),
        "nothing in there is listed"
    );
}

#[test]
fn links_to_directories_are_followed_and_circles_end() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["in/z/x.log", "in/y.log", "out/far.log"]);
    symlink(root.join("in"), root.join("in/a")).unwrap();
    symlink(root.join("in"), root.join("in/z/back")).unwrap();
    symlink(root.join("out"), root.join("in/m")).unwrap();
    symlink(root.join("in"), root.join("out/in")).unwrap();
    assert_eq!(found(root, &["in/**/*.log"], &[]), ["in/m/far.log", "in/y.log", "in/z/x.log"]);
    assert_eq!(
        found(root, &["in/*/*/*.log"], &[]),
        ["in/a/m/far.log", "in/a/z/x.log", "in/z/back/y.log"]
    );
    assert_eq!(found(root, &["**/a/*.log"], &[]), ["in/a/y.log"], "by way of the link");
}

#[test]
fn many_links_to_one_another_are_walked_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for from in 0..12 {
        files(root, &[&format!("{from}/x.log")]);
        for to in 0..12 {
            symlink(root.join(to.to_string()), root.join(format!("{from}/to{to}"))).unwrap();
        }
    }
    let started = Instant::now();
    assert_eq!(found(root, &["**/*.log"], &[]).len(), 12);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_link_to_itself_is_unreadable_once() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["a.log"]);
    let circle = root.join("circle.log");
    symlink(&circle, &circle).unwrap();
    let scan = scan(&[watched(root, &["*.log", "**/*.log", "circle.log"], &[])]);
    let unreadable: Vec<&PathBuf> = scan.unreadable.iter().map(|(path, _)| path).collect();
    assert_eq!((names(&scan, root), unreadable), (vec!["a.log".to_owned()], vec![&circle]));
}

#[test]
fn names_that_are_not_text_are_found_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let odd = root.join(OsStr::from_bytes(b"d\xff")).join(OsStr::from_bytes(b"\xe9t\xe9.log"));
    fs::create_dir(odd.parent().unwrap()).unwrap();
    fs::write(&odd, b"").unwrap();
    for pattern in ["*/*.log", "**/*.log", "d?/?t?.log"] {
        let watched = watched(root, &[pattern], &[]);
        assert!(watched.owns(&odd));
        let scan = scan(&[watched]);
        assert_eq!(scan.found.len(), 1, "{pattern}");
        assert_eq!(scan.found[0].path, odd, "{pattern}");
    }
    assert!(found(root, &["**/*.log"], &["*t*.log"]).is_empty());
}

#[test]
fn events_are_needed_from_wherever_something_was_looked_for() {
    let tree = tree();
    let root = tree.path();
    fs::create_dir(root.join("sub/.git")).unwrap();
    for (paths, expected) in [
        (&["a.log"][..], &[""][..]),
        (&["*.log"], &[""]),
        (&["sub/**/x*"], &["sub", "sub/deep"]),
        (&["sub"], &["", "sub"]),
        (&["*/d.log"], &["", "sub"]),
        (&["later.log", "sub/later.log"], &["", "sub"]),
        (&["sub/not/there/yet.log"], &["sub"]),
        (&["sub/not/there/*.log"], &["sub"]),
        (&["*/not/there.log"], &["", "sub"]),
    ] {
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(directories(root, paths, &[]), expected, "{paths:?}");
    }
}

#[test]
fn events_are_needed_from_where_links_point_to() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["pods/web/0.log", "releases/1/app.log", "real/x.log"]);
    for link in ["containers", "later"] {
        fs::create_dir(root.join(link)).unwrap();
    }
    symlink("../pods/web/0.log", root.join("containers/web.log")).unwrap();
    symlink("releases/1", root.join("current")).unwrap();
    symlink(root.join("real/x.log"), root.join("x.log")).unwrap();
    symlink(root.join("pods/new/0.log"), root.join("later/new.log")).unwrap();
    for (pattern, expected) in [
        ("containers/*.log", &["containers", "pods/web"][..]),
        ("current/*.log", &["", "current"]),
        ("x.log", &["", "real"]),
        ("later/*.log", &["later", "pods"]),
        ("later/new.log", &["later", "pods"]),
    ] {
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(directories(root, &[pattern], &[]), expected, "{pattern}");
    }
    let scan = scan(&[watched(root, &["containers/*.log"], &[])]);
    let target = fs::canonicalize(root.join("pods/web/0.log")).unwrap();
    assert_eq!(scan.links, [(root.join("containers/web.log"), target)]);
}

#[test]
fn what_is_no_regular_file_is_named_with_its_kind() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let fifo = root.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    let scan = scan(&[watched(root, &["fifo", "socket", "/dev/null", "*"], &[])]);
    let expected = [
        (PathBuf::from("/dev/null"), "a device"),
        (fifo, "a FIFO"),
        (root.join("socket"), "a socket"),
    ];
    assert_eq!(scan.irregular, expected);
    assert!(scan.found.is_empty() && scan.unreadable.is_empty());
}

#[test]
fn a_directory_that_may_not_be_read_is_told_and_watched_from_above() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["a/x.log", "b/x.log"]);
    let closed = root.join("b");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let may_read_all = fs::read_dir(&closed).is_ok();
    let scan = scan(&[watched(root, &["b/*.log", "*/*.log"], &[])]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    if may_read_all {
        return; // The superuser sees everything.
    }
    assert_eq!(names(&scan, root), ["a/x.log"]);
    assert_eq!(scan.unreadable.len(), 1);
    assert_eq!(scan.directories, [root.to_owned(), root.join("a")]);
}

#[test]
fn ten_thousand_files_are_scanned_in_little_time() {
    // In memory: creating so many files takes long elsewhere.
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let root = directory.path();
    for number in 0..100 {
        fs::create_dir(root.join(number.to_string())).unwrap();
        for file in 0..100 {
            fs::write(root.join(format!("{number}/{file}.log")), b"").unwrap();
        }
    }
    let watched = [watched(root, &["**/*.log"], &["*.gz", "/var/log/private/**"])];
    let started = Instant::now();
    let count = scan(&watched).found.len();
    let cost = started.elapsed();
    println!("a scan of {count} files took {cost:?}");
    assert_eq!(count, 10_000);
    assert!(cost < Duration::from_secs(2), "{cost:?}");
}

/// The kind of fault: a name that is there means what it says only where it is the last part.
#[test]
fn a_directory_whose_name_looks_like_a_pattern_is_what_its_name_says_where_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    files(root, &["dx/a.log", "dy/a.log", "d/x.log"]);
    let of_pattern = watched(root, &["d[x]/*.log"], &[]);
    let now = || names(&scan(std::slice::from_ref(&of_pattern)), root);
    assert_eq!(now(), ["dx/a.log"]);
    files(root, &["d[x]/b.log", "d[x]/{p,q}/c.log", "d[x]/e[1]/f.log", "d[x]/e1/g.log"]);
    assert_eq!(now(), ["d[x]/b.log"], "it came later");
    for path in ["d[x]/b.log", "dx/a.log"] {
        assert!(of_pattern.owns(&root.join(path)), "{path}");
    }
    for (pattern, expected) in [
        ("d[x]/*.log", &["d[x]/b.log"][..]),
        ("d[x]/{p,q}/*.log", &["d[x]/{p,q}/c.log"]),
        ("d[x]/{p,q}/{c,d}.log", &["d[x]/{p,q}/c.log"]),
        ("d[x]/e[1]/*", &["d[x]/e[1]/f.log"]),
        ("d[x]/e[12]/*", &["d[x]/e1/g.log"]),
        ("d[x]/**/*.log", &["d[x]/b.log", "d[x]/e1/g.log", "d[x]/e[1]/f.log", "d[x]/{p,q}/c.log"]),
        ("d[xy]/*.log", &["dx/a.log", "dy/a.log"]),
        ("*[x]/*.log", &["dx/a.log"]),
        ("{d,e}[x]/*.log", &["d[x]/b.log"]),
    ] {
        assert_eq!(found(root, &[pattern], &[]), expected, "{pattern}");
    }
}

#[test]
fn links_are_followed_as_far_as_is_said() {
    use crate::monitor::find::links::FollowLinks;
    let (tree, secret) = (tree(), tempfile::tempdir().unwrap());
    let (root, aside) = (tree.path(), secret.path());
    fs::write(aside.join("secret.log"), "secret").unwrap();
    symlink(aside.join("secret.log"), root.join("out.log")).unwrap();
    symlink(aside, root.join("away")).unwrap();
    symlink("../c.txt", root.join("sub/in.log")).unwrap();
    fs::create_dir(aside.join("root")).unwrap();
    // The directory that is named may be behind a link.
    symlink(root, aside.join("root/named")).unwrap();
    let named = aside.join("root/named");
    let all = ["a.log", "b.log", "sub/d.log", "sub/deep/e.log"];
    for (which, more) in [
        (FollowLinks::Always, &["away/secret.log", "sub/in.log"][..]),
        (FollowLinks::Inside, &["sub/in.log"]),
        (FollowLinks::Never, &[]),
    ] {
        let expected: BTreeSet<&str> = all.iter().chain(more).copied().collect();
        let scan = scan(&[watched(&named, &["**/*.log"], &["root"]).follow(which)]);
        let found: Vec<String> = names(&scan, &named);
        let found: BTreeSet<&str> = found
            .iter()
            .map(|name| match name.as_str() {
                // The same file, found by the other link.
                "out.log" => "away/secret.log",
                name => name,
            })
            .collect();
        assert_eq!(found, expected, "{which:?}");
    }
    for (path, which, is_found) in [
        ("out.log", FollowLinks::Always, true),
        ("out.log", FollowLinks::Inside, false),
        ("out.log", FollowLinks::Never, false),
        ("away/secret.log", FollowLinks::Never, true),
        ("away/*.log", FollowLinks::Never, true),
        ("*/secret.log", FollowLinks::Never, false),
        ("sub/in.log", FollowLinks::Inside, false),
        ("sub/in.log", FollowLinks::Never, false),
    ] {
        let scan = scan(&[watched(root, &[path], &[]).follow(which)]);
        assert_eq!(scan.found.len(), usize::from(is_found), "{path} {which:?}");
        let is_named = !path.contains('*');
        assert_eq!(scan.irregular.len(), usize::from(!is_found && is_named), "{path} is said");
    }
}
