"""`python -m replpool_worker [launcher | zygote]`; without an argument a worker that was started directly."""

import sys


def main() -> int:
    """Run the part that argv names. Returns the exit status; 64 (EX_USAGE) for an unknown part."""
    part = sys.argv[1] if len(sys.argv) > 1 else "worker"
    if part == "launcher":
        from . import launcher

        return launcher.main()
    if part == "zygote" and len(sys.argv) == 3:
        from . import zygote

        return zygote.main(int(sys.argv[2]))
    if part == "worker":
        from . import worker

        return worker.main()
    sys.stderr.write("usage: python -m replpool_worker [launcher]\n")
    return 64


if __name__ == "__main__":
    sys.exit(main())
