"""The Python worker of ReplPool: launcher, zygote and session process (docs/worker-protocol.md)."""

PROTOCOL_VERSIONS = (1,)
CODECS = ("msgpack", "json")
CAPABILITIES = ("input", "complete", "inspect", "variables")

# The exit status of a part that found itself or the other side broken.
EX_SOFTWARE = 70
# The environment variable that names READ,WRITE, the protocol's file descriptors.
PROTOCOL_FDS = "PYREPL_PROTOCOL_FDS"
# The environment variable by which the launcher finds what a worker left behind.
WORKER_MARKER = "REPLPOOL_WORKER"
