"""Kernels, and functions in the background, that start in a process which has imported torch already.

Three kernels that each import torch, torchvision, scikit-learn and matplotlib spend more time on imports than on the
report. So one helper process imports them once, while the first notebook already runs, and each kernel is a fork of it:
an ordinary kernel in a process of its own, with its own state, which can be interrupted and killed as any other.

    with WarmKernels() as warm:
        papermill.execute_notebook(..., kernel_manager_class=warm.manager_class)
        warm.call("maskkit.audit.audit", "find_run_audit", str(folder))  # runs beside the next notebook

Linux only: elsewhere forking after these imports is not safe; `manager_class` is Jupyter's own there, and `call` does
nothing.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

FIRST = ("ipykernel.kernelapp", "IPython.core.interactiveshell", "matplotlib.pyplot", "maskkit.data", "maskkit.plots")
THEN = (  # in pieces, as a request waits for the one that is being imported; from scipy on for the audit alone
    "torch", "maskkit.train", "maskkit.page", "maskkit.audit.audit",
    "scipy.optimize", "scipy.stats", "sklearn.utils", "sklearn.model_selection", "sklearn.ensemble",
    "sklearn.linear_model",
)  # fmt: skip
SUPPORTED = sys.platform == "linux"


# --- this process: ask for kernels --------------------------------------------------------------


class WarmKernels:
    """Starts the helper process; ends it, and every kernel that is left, when the block ends."""

    def __enter__(self) -> Self:
        self.helper = None
        if SUPPORTED:
            ours, theirs = socket.socketpair()
            with theirs:
                self.helper = subprocess.Popen(
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C on the terminal is for this process, which ends the others
                )
            self.connection = Connection(ours)
        return self

    def __exit__(self, *_: object) -> None:
        if self.helper:
            self.connection.close()
            self.helper.terminate()  # it may be in the middle of an import, and nobody waits for that
            try:
                self.helper.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.helper.kill()
                self.helper.wait()

    def call(self, module: str, function: str, *arguments: str | int, niceness: int = 0) -> None:
        """Begin `module.function(*arguments)` in a fork of the helper, for the results that it writes into the cache.

        niceness: of the process, as `os.nice` adds it; a kernel's is 0.

        It is ended with the block, finished or not. Its errors are not shown: a notebook that does not find the result
        computes it, and shows the same error.
        """
        if self.helper:
            with contextlib.suppress(OSError):  # the helper died: the next notebook will show why
                self.connection.ask(call=[module, function, *arguments], niceness=niceness)

    @property
    def manager_class(self) -> type:
        """A class of kernel manager whose kernels are forks of the helper."""
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_client.provisioning import LocalProvisioner

        if not self.helper:
            return AsyncKernelManager
        connection = self.connection

        class Provisioner(LocalProvisioner):
            process: Any = None

            async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
                if cmd[0] != sys.executable or cmd[1:3] != ["-m", "ipykernel_launcher"]:  # another Python's kernel
                    return await super().launch_kernel(cmd, **kwargs)
                try:
                    cwd = str(kwargs.get("cwd") or Path.cwd())
                    self.process = connection.fork(command=cmd, env=kwargs["env"], cwd=cwd)
                except OSError:  # the helper died, as where torch cannot be imported: the notebook will show why
                    return await super().launch_kernel(cmd, **kwargs)
                self.pid = self.pgid = self.process.pid
                return self.connection_info

        class Manager(AsyncKernelManager):
            async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
                self.kernel_id = self.kernel_id or "warm"
                self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
                return await super()._async_pre_start_kernel(**kwargs)

            pre_start_kernel = _async_pre_start_kernel

        return Manager


class Connection:
    """This end of the line to the helper."""

    def __init__(self, line: socket.socket) -> None:
        self.line, self.rest, self.n_asked = line, b"", 0
        self.pids, self.exits = dict[int, int](), dict[int, int]()  # of each request; of each pid

    def fork(self, **request: Any) -> "Kernel":
        """Ask for a fork, and wait for it; request: as of `ask`."""
        number = self.ask(**request)
        while number not in self.pids:
            self.receive(wait=True)
        return Kernel(self.pids[number], self)

    def ask(self, **request: Any) -> int:
        """Ask for a fork without waiting: the helper may be in the middle of an import. Returns the request's number.

        request: the arguments of `become_kernel`, or {"call": those of `call_function`, "niceness": of the process}.
        """
        self.n_asked += 1
        self.line.sendall(json.dumps(request | {"number": self.n_asked}).encode() + b"\n")
        return self.n_asked

    def receive(self, wait: bool = False) -> None:
        """Read the helper's messages so far into `pids` and `exits`."""
        while wait or select.select([self.line], [], [], 0)[0]:
            got = self.line.recv(65536)
            if not got:
                raise ChildProcessError("the process that starts kernels has died")
            self.rest += got
            wait = False
        *lines, self.rest = self.rest.split(b"\n")
        messages = [json.loads(text) for text in lines]
        self.pids |= {message["number"]: message["pid"] for message in messages if "pid" in message}
        self.exits |= {message["exited"]: message["status"] for message in messages if "exited" in message}

    def close(self) -> None:
        self.line.close()


class Kernel:
    """A kernel's process as `subprocess.Popen` would show it to a provisioner."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, connection: Connection) -> None:
        self.pid, self.connection = pid, connection

    def poll(self) -> int | None:
        try:
            self.connection.receive()
        except ChildProcessError:  # the helper is gone, and has taken its kernels along
            return -signal.SIGKILL
        if self.pid not in self.connection.exits and has_ended(self.pid):
            return 0  # the helper, in the middle of an import, has not waited for it yet
        return self.connection.exits.get(self.pid)

    def wait(self) -> int | None:
        return self.poll()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or has ended by itself and is only not waited for yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return state[0] == "Z" and state[-1] == "0"  # the last number is its status: not 0 where it was killed


# --- the helper process -------------------------------------------------------------------------


def serve(line: socket.socket) -> None:
    """Import what notebooks need, and fork a kernel for each request, until the line or a SIGTERM ends it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    gc.disable()  # collecting would take a fifth of the time to import, and the modules stay anyway
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel does for itself
    for name in FIRST:
        importlib.import_module(name)
    kernels = set[int]()
    try:
        answer_requests(line, kernels)
    finally:
        end(kernels)
        os._exit(0)  # with torch loaded an orderly end takes a second, and there is nothing left to put in order


def answer_requests(line: socket.socket, kernels: set[int]) -> None:
    """Fork kernels, whose pids `kernels` holds while they run; import the rest in between."""
    waiting, unfinished = list(THEN), b""
    while True:
        report_exits(line, kernels)
        if select.select([line], [], [], 0 if waiting else 0.05)[0]:
            got = line.recv(65536)
            if not got:
                break
            *requests, unfinished = (unfinished + got).split(b"\n")
            for request in requests:
                fork(line, kernels, **json.loads(request))
        elif waiting:
            importlib.import_module(waiting.pop(0))


def end(kernels: set[int]) -> None:
    """Kill the kernels that are left."""
    for pid in kernels:
        with contextlib.suppress(ProcessLookupError):  # just forked, so not yet a group of its own
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)  # not waited for yet, so the pid is still this kernel's
        os.waitpid(pid, 0)


def report_exits(line: socket.socket, kernels: set[int]) -> None:
    for pid in list(kernels):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            kernels.remove(pid)
            tell(line, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def tell(line: socket.socket, message: dict[str, int]) -> None:
    with contextlib.suppress(OSError):  # the other end is gone; the loop sees that next
        line.sendall(json.dumps(message).encode() + b"\n")


def fork(line: socket.socket, kernels: set[int], number: int, **request: Any) -> None:
    """Fork a kernel or a call as `Connection.ask` asks for it, add its pid to `kernels` and report it."""
    gc.freeze()  # the forks need not look through what was imported so far, and go on sharing its memory
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # else a kernel could be forked and not be known
    pid = os.fork()
    if pid:
        kernels.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        tell(line, {"number": number, "pid": pid})
        return
    gc.enable()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # A group of its own, for signals, in the helper's session: Linux divides the processors among sessions first, and
    # heeds niceness only within one.
    os.setpgid(0, 0)
    line.close()
    try:
        if "call" in request:
            os.nice(request["niceness"])
            call_function(*request["call"])
        else:
            become_kernel(**request)
    finally:
        os._exit(0)


def call_function(module: str, function: str, *arguments: Any) -> None:
    """Call a function and discard what it prints; it ends when its parent, the helper, is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    die_with_parent()
    use_one_thread()
    getattr(importlib.import_module(module), function)(*arguments)


def use_one_thread() -> None:
    """Leave the other cores to the notebook: two processes that both want all of them take twice as long."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # for the libraries imported from here on
    importlib.import_module("torch").set_num_threads(1)


def die_with_parent() -> None:
    """Let Linux kill this process when its parent ends."""
    import ctypes

    PR_SET_PDEATHSIG = 1  # linux/prctl.h
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def become_kernel(command: list[str], env: dict[str, str], cwd: str) -> None:
    """Be the kernel that Jupyter would start by `command`."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    run_kernel(command[command.index("-f") :])


def run_kernel(arguments: list[str]) -> None:
    """Be a kernel until it is shut down; it ends by itself when its parent, the helper, is gone."""
    from ipykernel import kernelapp

    sys.argv = ["ipykernel_launcher", *arguments]
    kernelapp.launch_new_instance(parent_handle=os.getppid())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
