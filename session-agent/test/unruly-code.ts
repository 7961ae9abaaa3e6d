/** A child that nothing leads back to its session: a session, a parent and an environment of its own. Its result is the child's pid. */
export const DAEMON = `
import os
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(writer, str(os.getpid()).encode())
    os.execve('/bin/sleep', ['sleep', '3600'], {})
int(os.read(reader, 32))
`;

export const FORK_BOMB = `
import os, time
for _ in range(200):
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)
`;
