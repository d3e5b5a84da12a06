"""Runs a program on a terminal of its own and talks to it: argument 1 is JSON with argv, rows, columns and steps.
A step waits until the output since the step before matches `expect`, then sends, resizes, or signals. Prints JSON:
what was seen, the exit status, and in `missed` the expectation that did not come true."""
import fcntl, json, os, pty, re, select, signal, struct, sys, termios, time

order = json.loads(sys.argv[1])

def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

pid, terminal = pty.fork()
if pid == 0:  # the size is set before the program can ask for it
    resize(0, order["rows"], order["columns"])
    os.execvp(order["argv"][0], order["argv"])

seen, taken, missed = b"", 0, None

def read(until):
    global seen
    ready, _, _ = select.select([terminal], [], [], max(0, until - time.time()))
    if not ready:
        return False
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # the other side is closed
        chunk = b""
    seen += chunk
    return chunk != b""

for step in order["steps"]:
    deadline = time.time() + step.get("seconds", 20)
    while True:
        match = re.search(step["expect"].encode(), seen[taken:], re.S)
        if match:
            taken += match.end()
            break
        if not read(deadline):
            missed = step["expect"]
            break
    if missed is not None:
        break
    if "resize" in step:
        resize(terminal, *step["resize"])
    if "send" in step:
        os.write(terminal, step["send"].encode())

deadline = time.time() + 20
while missed is None and read(deadline):
    pass
if missed is not None:
    os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
print(json.dumps({"seen": seen.decode("utf-8", "replace"), "code": os.waitstatus_to_exitcode(status), "missed": missed}))
