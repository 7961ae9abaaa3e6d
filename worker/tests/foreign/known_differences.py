"""Every test of others that ends otherwise in a session than under a plain `python3`, with the reason."""

from foreign.compare import ENDLESS, Known

LAST_ALONE = (
    "an interactive Python shows every expression statement, inside `with` and `try` too; a session's result is the"
    " value of the last statement, where that is an expression (design, section 6)"
)
LOOP_RUNS = "they try what holds where no event loop runs; a session's runs, so that code can await (design, section 6)"

KNOWN: tuple[Known, ...] = (
    Known(
        "asyncio.timeouts, as executions",
        (
            "asyncio.timeouts.timeout: async with asyncio.timeout(10): # 10 seconds timeout await long_running_task()",
            "asyncio.timeouts.timeout_at: async with asyncio.timeout_at(loop.time() + 10): await long_running_task()",
        ),
        plain="raised SyntaxError",
        session="raised NameError",
        reason="`async with` at the top level is for sessions alone; the name it then misses is the docstring's own",
        since=(3, 11),
    ),
    Known(
        "pdb, as executions",
        ("pdb: pdb.pm()",),
        plain="raised AttributeError",
        session="raised ValueError",
        reason="as in an interactive Python, the last error is in `sys.last_traceback`; a doctest alone has none",
    ),
    Known(
        "test.test_extcall, as executions",
        ("test.test_extcall: try: silence = id(1, *{}) True except: False",),
        plain="passed",
        session="failed",
        reason=LAST_ALONE,
    ),
    Known(
        "test.test_generators, as executions",
        (
            "test.test_generators.__test__.coroutine: with support.catch_unraisable_exception() as cm: g = f() next(g)"
            " del g cm.unrais…",
            "test.test_generators.__test__.refleaks: with support.catch_unraisable_exception() as cm: l = Leaker() del"
            " l cm.unraisabl…",
        ),
        plain="passed",
        session="failed",
        reason=LAST_ALONE,
    ),
    Known(
        "test.test_asyncio.test_tasks",
        (
            "test.test_asyncio.test_tasks.*.test_as_completed_coroutine_without_loop",
            "test.test_asyncio.test_tasks.*.test_constructor_empty_sequence_use_global_loop",
            "test.test_asyncio.test_tasks.*.test_constructor_empty_sequence_without_loop",
            "test.test_asyncio.test_tasks.*.test_constructor_use_global_loop",
            "test.test_asyncio.test_tasks.*.test_constructor_without_loop",
            "test.test_asyncio.test_tasks.*.test_current_task_no_running_loop_implicit",
            "test.test_asyncio.test_tasks.*.test_ensure_future_coroutine",
            "test.test_asyncio.test_tasks.*.test_shield_coroutine_use_global_loop",
            "test.test_asyncio.test_tasks.*.test_shield_coroutine_without_loop",
        ),
        plain="passed",
        session="failed",
        reason=LOOP_RUNS,
    ),
    Known(
        "test.test_asyncio.test_tasks",
        ("test.test_asyncio.test_tasks.*.test_ensure_future_coroutine_2",),
        plain="passed",
        session="failed",
        reason=LOOP_RUNS,
        before=(3, 11),
    ),
    Known(
        "test.test_asyncio.test_tasks",
        ("test.test_asyncio.test_tasks.*.test_as_completed_coroutine_use_global_loop",),
        plain="passed",
        session=ENDLESS,
        reason=f"{LOOP_RUNS}; what it waits for is on that loop, which stands still while another is driven",
        before=(3, 11),
    ),
    Known(
        "test.test_threading",
        ("test.test_threading.InterruptMainTests.test_interrupt_main_noerror",),
        plain="passed",
        session="failed",
        reason="SIG_DFL leaves SIGINT to the worker, so that none ends a session: interrupt_main() raises",
    ),
    Known(
        "test.test_builtin",
        ("test.test_builtin.PtyTests.test_input_no_stdout_fileno",),
        plain="passed",
        session="failed",
        reason="it forks, and in a fork of the user's input() ends: no client could tell whose question it is",
    ),
    Known(
        "test.test_getpass",
        (
            "test.test_getpass.UnixGetpassTest.test_falls_back_to_fallback_if_termios_raises",
            "test.test_getpass.UnixGetpassTest.test_falls_back_to_stdin",
            "test.test_getpass.UnixGetpassTest.test_flushes_stream_after_input",
            "test.test_getpass.UnixGetpassTest.test_resets_termios",
            "test.test_getpass.UnixGetpassTest.test_uses_tty_directly",
        ),
        plain="passed",
        session="failed",
        reason="they look for the terminal that getpass opens; in a session the client is asked, and hides the answer",
    ),
    Known(
        "test.test_sys",
        ("test.test_sys.SizeofTest.test_asyncgen_hooks",),
        plain="passed",
        session="failed",
        reason=LOOP_RUNS,
    ),
    Known(
        "test.test_sys",
        ("test.test_sys.SysModuleTest.test_getframemodulename",),
        plain="passed",
        session="failed",
        reason="it looks at the frames below the code, where asyncio's functions are wrapped by the worker's",
        since=(3, 12),
    ),
)
