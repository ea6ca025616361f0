//! Traces in the form in which the runtimes print them (Java 17, Python 3.11, Go 1.26 and Rust 1.95
//! unless a test says otherwise), shortened and put together, between other lines.

use super::assert_events;

#[test]
fn java_exceptions_join_the_line_of_the_logger() {
    assert_events(
        "java",
        &[
            "2026-01-01 INFO before",
            "2026-01-01 ERROR failed
java.lang.IllegalStateException: body
\tat A.main(A.java:10)
\tat java.base/java.lang.reflect.Method.invoke(Method.java:569)
\tSuppressed: java.lang.IllegalStateException: close
\t\tat A$Res.close(A.java:3)
\t\t... 8 more
\t\tCaused by: java.io.IOException
\t\t\t... 9 more
Caused by: java.lang.NumberFormatException: For input string: \"x\"
\tat java.base/java.lang.Integer.parseInt(Integer.java:668)
\t... 12 more
Caused by: [CIRCULAR REFERENCE: java.lang.Exception: y]",
            "2026-01-01 INFO between",
            "2026-01-01 WARN two lines\n  of text\nfeign.FeignException$NotFound: [404] during [GET]
\tat feign.FeignException.clientErrorStatus(FeignException.java:219)",
            "2026-01-01 INFO after",
        ],
    );
}

#[test]
fn java_exceptions_without_a_logger_begin_an_event() {
    assert_events(
        "java",
        &[
            "",
            "java.lang.Exception: y
\tat A.main(A.java:12)
Caused by: java.lang.Exception
\t... 8 more",
            "java.lang.OutOfMemoryError\n\tat A.f(A.java:1)",
            "Exception in thread \"worker 1\" java.lang.NullPointerException
\tat A.lambda$main$0(A.java:13)
\tat java.base/java.lang.Thread.run(Thread.java:840)",
            "INFO com.example.NotAnException at the end",
            "com.example.Exceptions: a plain line",
            "Error: Could not find or load main class B",
        ],
    );
}

#[test]
fn python_tracebacks_join_the_message() {
    assert_events(
        "python",
        &[
            "2026-11-25 18:59:06,632 WARNING before",
            "2026-11-25 18:59:06,634 ERROR handling failed
Traceback (most recent call last):
  File \"a.py\", line 7, in f
    {}[\"k\"]
    ~~^^^^^
KeyError: 'k'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"a.py\", line 9, in f
    raise ValueError(\"bad\") from e
ValueError: bad

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"a.py\", line 22, in <module>
    except Exception: assert False
                      ^^^^^^^^^^^^
AssertionError",
            "2026-11-25 18:59:06,637 ERROR compile
Traceback (most recent call last):
  File \"m.py\", line 1
    x = = 1
        ^
SyntaxError: invalid syntax",
            "2026-11-25 18:59:06,637 WARNING after",
        ],
    );
}

#[test]
fn python_tracebacks_are_told_apart() {
    assert_events(
        "python",
        &[
            "",
            "Traceback (most recent call last):\n  File \"a.py\", line 1\n__main__.f.<locals>.E",
            "Traceback (most recent call last):\n  File \"a.py\", line 31\nKeyboardInterrupt\n",
            "",
            "INFO:root:after",
            "ERROR:root:Traceback (most recent call last):\n  File \"a.py\"\njson.E: x",
            "ERROR:root:x\nTraceback (most recent call last):\n  File \"a.py\", line 1",
            "2026-01-01 the last line of the trace is missing",
        ],
    );
}

#[test]
fn python_groups_and_stacks_have_no_last_line() {
    assert_events(
        "python",
        &[
            "2026-11-25 18:59:06,637 ERROR group
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
ValueError: 0

During handling of the above exception, another exception occurred:

  + Exception Group Traceback (most recent call last):
  |   File \"a.py\", line 17, in <module>
  | ExceptionGroup: eg (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File \"a.py\", line 16, in <module>
    | ValueError: 1
    +------------------------------------

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"a.py\", line 18, in <module>
KeyError: 1",
            "INFO:root:between",
            "WARNING:root:stack
Stack (most recent call last):
  File \"a.py\", line 27, in <module>
    log.warning(\"stack\", stack_info=True)",
            "INFO:root:after",
        ],
    );
}

#[test]
fn go_panics_end_with_their_goroutines() {
    assert_events(
        "go",
        &[
            "2026/11/25 18:59:16 before",
            "panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4aa10e]

goroutine 1 [running]:
main.(*T).F(0x388bf0012c90?, {0x0?, 0x2?, 0x388bf0031f08?}, 0x7f5fbcc21cc8?)
\t/src/main.go:4 +0xe
main.main()
\t/src/main.go:9 +0x139

goroutine 6 [chan receive, 2 minutes]:
net/http.(*conn).serve(0x39f10d112090, {0x77ace0, 0x39f10d102120})
\t/usr/local/go/src/net/http/server.go:2067 +0x690
...23 frames elided...
created by main.start in goroutine 1
\t/src/main.go:12 +0x1ee
exit status 2",
            "2026/11/25 18:59:17 between (with brackets)",
            "panic: first [recovered]
\tpanic: again first

goroutine 1 [running]:
main.main.func1()
\t/src/main.go:10 +0x5b
panic({0x4b5a80?, 0x4dcbd8?})
\t/usr/local/go/src/runtime/panic.go:860 +0x13a",
            "2026/11/25 18:59:18 http: panic serving 127.0.0.1:47226: boom
goroutine 18 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1897 +0xbd",
            "done(3)",
            "an ordinary line",
        ],
    );
}

#[test]
fn go_fatal_errors_and_dumps_are_whole() {
    assert_events(
        "go",
        &[
            "2026/11/25 18:59:16 before",
            "runtime: goroutine stack exceeds 1000000000-byte limit
runtime: sp=0x1eb5b0360388 stack=[0x1eb5b0360000, 0x1eb5d0360000]
fatal error: stack overflow

runtime stack:
runtime.throw({0x4d374d?, 0x59b601?})
\t/usr/local/go/src/runtime/panic.go:1229 +0x48 fp=0x7ffc779dff58 pc=0x479cc8

goroutine 1 gp=0x1eb59029c1e0 m=0 mp=0x59c3c0 [running]:
main.main.func3(0x155551f?)
\t/src/main.go:16 +0x30 fp=0x1eb5b0360398 sp=0x1eb5b0360390 pc=0x4aa690",
            "{\"level\":\"info\"}",
            "fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/src/main.go:13 +0x26c
",
            "2026/11/25 18:59:17 between",
            "SIGQUIT: quit
PC=0x48bf21 m=0 sigcode=0

goroutine 0 gp=0xa0a6c0 m=0 mp=0xa0b660 [idle]:
runtime.mPark(...)
\t/usr/local/go/src/runtime/proc.go:1967

rax    0xca
rip    0x48bf21
gs     0x0",
            "2026/11/25 18:59:18 after",
        ],
    );
}

#[test]
fn rust_panics_take_one_line_of_message() {
    assert_events(
        "rust",
        &[
            "INFO before",
            "",
            "thread 'main' (16831) panicked at src/main.rs:1:30:
index out of bounds: the len is 1 but the index is 5
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/59807616e1fa/library/std/src/panicking.rs:689:5
   1: main::main
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
            "INFO between",
            "thread 'work er' panicked at src/main.rs:7:17:
assertion `left == right` failed: sum
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            "thread '<unnamed>' (16857) panicked at src/main.rs:9:148:

stack backtrace:
   0: main::main::{{closure}}",
            "",
            "thread 'main' (16858) panicked at src/main.rs:10:103:\nfirst",
            "thread 'main' (16858) panicked at library/core/src/panicking.rs:233:5:
panic in a destructor during cleanup
thread caused non-unwinding panic. aborting.",
            "thread 'main' (16871) has overflowed its stack
fatal runtime error: stack overflow, aborting",
            "thread 'main' is what this line is about",
            "INFO after",
        ],
    );
}

#[test]
fn rust_messages_of_several_lines_are_split_before_the_backtrace() {
    assert_events(
        "rust",
        &[
            "thread 'main' (16837) panicked at src/main.rs:6:20:\none",
            "two",
            "three\nstack backtrace:\n   0: main::main",
            "INFO after",
        ],
    );
}

/// Rust up to 1.72.
#[test]
fn rust_panics_of_old_have_the_message_in_quotes() {
    assert_events(
        "rust",
        &[
            "thread 'main' panicked at 'msg', src/main.rs:2:5",
            "INFO between",
            "thread 'main' panicked at 'assertion failed: `(left == right)`
  left: `1`,
 right: `2`', src/main.rs:2:5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
            "INFO after",
        ],
    );
}

#[test]
fn rust_errors_of_anyhow_take_their_causes() {
    assert_events(
        "rust",
        &[
            "INFO before",
            "Error: cannot read the settings

Caused by:
    0: cannot open \"/etc/a.toml\"
    1: No such file or directory (os error 2)

Stack backtrace:
   0: anyhow::error::<impl>::from
   1: main::main",
            "Error: Os { code: 2, kind: NotFound }",
            "INFO after",
        ],
    );
}
