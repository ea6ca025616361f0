//! Watches of real directories.

use tempfile::TempDir;

use super::*;
use crate::monitor::wake::News;

/// A directory with a state directory beside it, and a watcher.
struct Watching {
    // Dropped first: what happens to the directory at the end is no test.
    watcher: Watcher,
    directory: TempDir,
    inbox: Inbox,
}

impl Watching {
    fn new(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let inbox = Inbox::default();
        for name in names {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        let state = directory.path().join("state");
        fs::create_dir(&state).unwrap();
        let watcher = Watcher::new(WatchMode::Auto, inbox.clone(), &state);
        Self { watcher, directory, inbox }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn watch(&mut self, names: &[&str]) -> bool {
        let directories: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        self.watcher.watch(&directories)
    }

    fn covered<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let covers = |name: &&&str| self.watcher.covers(&self.path(name).join("x"));
        names.iter().filter(covers).copied().collect()
    }

    /// What comes in until it is as wanted.
    fn wait(&self, is_wanted: impl Fn(&News) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let news = self.inbox.wait(deadline, Instant::now());
            if is_wanted(&news) {
                return;
            }
            assert!(Instant::now() < deadline, "only {news:?}");
        }
    }

    fn wait_for_rescan(&self) {
        self.wait(|news| news.rescan);
    }

    fn wait_for_write(&self, name: &str) {
        let path = self.path(name);
        fs::write(&path, b"x").unwrap();
        self.wait(|news| news.touched.contains(&path));
    }

    /// Calls `check` until it begins anew.
    fn check_until_restarted(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.watcher.check(Instant::now()) {
            assert!(Instant::now() < deadline);
            self.inbox.wait(Instant::now() + Duration::from_millis(1), Instant::now());
        }
    }

    fn was_felt(&self) -> bool {
        self.watcher.signals.was_felt.load(Ordering::Acquire)
    }

    fn wait_for_pulse(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.was_felt() {
            assert!(Instant::now() < deadline);
            let news = self.inbox.wait(Instant::now() + Duration::from_millis(1), Instant::now());
            assert!(news.touched.is_empty() && !news.rescan, "{news:?} was passed on");
        }
    }
}

#[test]
fn a_write_and_a_new_file_are_noticed() {
    let mut watching = Watching::new(&["a"]);
    assert!(watching.watch(&["a"]));
    watching.wait_for_rescan();
    watching.wait_for_write("a/a.log");
    fs::write(watching.path("a/b.log"), b"").unwrap();
    watching.wait_for_rescan();
}

#[test]
fn directories_are_added_and_removed_as_wanted() {
    let mut watching = Watching::new(&["a", "b", "a/deep"]);
    assert!(watching.watch(&["a", "b"]));
    assert_eq!(watching.covered(&["a", "a/deep", "b"]), ["a", "b"]);
    assert!(watching.watch(&["a/deep", "b"]));
    assert_eq!(watching.covered(&["a", "a/deep", "b"]), ["a/deep", "b"]);
    assert!(!watching.watch(&["a/deep", "b", "c"]), "c is not there");
    assert_eq!(watching.covered(&["a/deep", "c"]), ["a/deep"]);
    watching.wait_for_write("b/x");
    fs::write(watching.path("a/x"), b"x").unwrap();
    watching.wait_for_write("a/deep/x");
}

#[test]
fn permissions_that_change_are_noticed_and_reading_is_not() {
    let mut watching = Watching::new(&["a"]);
    watching.watch(&["a"]);
    watching.wait_for_write("a/x");
    watching.inbox.wait(Instant::now() + Duration::from_millis(50), Instant::now());
    fs::read(watching.path("a/x")).unwrap();
    let news = watching.inbox.wait(Instant::now() + Duration::from_millis(50), Instant::now());
    assert!(!news.rescan && news.touched.is_empty(), "{news:?}");
    let file = File::open(watching.path("a/x")).unwrap();
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    watching.wait_for_rescan();
}

#[test]
fn a_directory_that_is_made_again_is_watched_again() {
    let mut watching = Watching::new(&["a", "a/deep"]);
    assert!(watching.watch(&["", "a", "a/deep"]));
    for _ in 0..10 {
        fs::remove_dir_all(watching.path("a")).unwrap();
        // Often with the same inode.
        fs::create_dir_all(watching.path("a/deep")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let path = watching.path("a/deep/x");
        loop {
            assert!(Instant::now() < deadline);
            watching.watch(&["", "a", "a/deep"]);
            fs::write(&path, b"x").unwrap();
            let wait = Instant::now() + Duration::from_millis(20);
            if watching.inbox.wait(wait, wait).touched.contains(&path) {
                break;
            }
        }
    }
}

#[test]
fn a_directory_that_was_away_for_a_moment_is_watched_with_all_below() {
    let mut watching = Watching::new(&["a", "a/deep"]);
    assert!(watching.watch(&["", "a", "a/deep"]));
    watching.wait_for_write("a/x");
    fs::rename(watching.path("a"), watching.path("b")).unwrap();
    fs::rename(watching.path("b"), watching.path("a")).unwrap();
    watching.wait_for_rescan();
    watching.wait_for_write("y");
    assert!(watching.watch(&["", "a", "a/deep"]));
    watching.wait_for_write("a/x");
    watching.wait_for_write("a/deep/x");
}

#[test]
fn a_directory_with_two_names_is_watched_as_long_as_it_has_one() {
    let mut watching = Watching::new(&["a"]);
    std::os::unix::fs::symlink("a", watching.path("b")).unwrap();
    assert!(watching.watch(&["a", "b"]));
    assert_eq!(watching.covered(&["a", "b"]), ["a", "b"]);
    assert!(watching.watch(&["a"]));
    watching.wait_for_write("a/x");
}

#[test]
fn beyond_the_limit_the_rest_is_polled_and_tried_again() {
    let names: Vec<String> = (100..200).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut watching = Watching::new(&names);
    watching.watcher.limit.most = 40;
    assert!(!watching.watch(&names));
    assert_eq!(watching.covered(&names), names[..40]);
    assert_eq!(watching.watcher.limit.tried, 41, "one failure is enough");
    let said: Vec<&String> = watching.watcher.said.iter().collect();
    assert!(said[0].contains("sysctl fs.inotify.max_user_watches"), "{said:?}");
    assert!(!watching.watch(&names));
    assert_eq!(watching.watcher.limit.tried, 42, "one try for each rescan");
    watching.watcher.limit.most = 1000;
    assert!(watching.watch(&names));
    assert_eq!(watching.covered(&names), names);
    assert!(watching.watcher.said.is_empty(), "it would be said anew");
}

#[test]
fn directories_beyond_the_limit_are_counted() {
    let mut refused = Refused::default();
    for name in ["/a", "/b", "/c"] {
        let error = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
        refused.note(Path::new(name), Err(Refusal::from(&error)));
    }
    refused.note(Path::new("/d"), Ok(()));
    let counts: Vec<_> = refused.0.into_values().collect();
    assert_eq!(counts, [(3, PathBuf::from("/a"))]);
}

#[test]
fn polling_needs_neither_watches_nor_a_pulse() {
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::new(WatchMode::Poll, Inbox::default(), directory.path());
    assert!(!watcher.watch(&[directory.path().to_owned()]));
    assert!(!watcher.covers(&directory.path().join("x")));
    assert!(!watcher.check(Instant::now()));
    assert!(!directory.path().join(PULSE_DIRECTORY).exists());
}

#[test]
fn a_healthy_thread_answers_every_check_and_nobody_else_hears_of_it() {
    let mut watching = Watching::new(&[]);
    let mut now = Instant::now();
    for _ in 0..3 {
        assert!(!watching.watcher.check(now));
        watching.wait_for_pulse();
        now += 2 * PATIENCE;
    }
    fs::remove_dir_all(watching.path("state")).unwrap();
    // Who locks it makes it again.
    fs::create_dir(watching.path("state")).unwrap();
    assert!(!watching.watcher.check(now), "the file is made again");
    watching.wait_for_pulse();
}

#[test]
fn a_thread_that_died_is_replaced() {
    let mut watching = Watching::new(&["a", "b"]);
    assert!(watching.watch(&["a", "b"]));
    assert!(!watching.watcher.check(Instant::now()));
    fs::create_dir(watching.path("a/end-this-thread")).unwrap();
    watching.check_until_restarted();
    watching.wait_for_rescan();
    assert_eq!(watching.covered(&["a", "b"]), ["a", "b"]);
    watching.wait_for_write("a/x");
    watching.wait_for_write("b/x");
    assert!(!watching.watcher.check(Instant::now()));
}

#[test]
fn nothing_is_covered_by_a_thread_that_died() {
    let mut watching = Watching::new(&["a"]);
    assert!(watching.watch(&["a"]));
    fs::create_dir(watching.path("a/end-this-thread")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !watching.covered(&["a"]).is_empty() {
        assert!(Instant::now() < deadline);
        watching.inbox.wait(Instant::now() + Duration::from_millis(1), Instant::now());
    }
    assert!(!watching.watch(&["a"]));
}

#[test]
fn a_thread_that_hangs_is_replaced() {
    let mut watching = Watching::new(&["a"]);
    assert!(watching.watch(&["a"]));
    watching.wait_for_rescan();
    assert!(!watching.watcher.check(Instant::now()));
    watching.wait_for_pulse();
    fs::create_dir(watching.path("a/stop-this-thread")).unwrap();
    let now = Instant::now();
    // Not sooner than the event of that file can be told.
    let mut later = now;
    while !watching.watcher.check(later) {
        assert!(later < now + 100 * PATIENCE);
        watching.inbox.wait(Instant::now() + Duration::from_millis(10), Instant::now());
        later += PATIENCE;
    }
    watching.wait_for_rescan();
}
