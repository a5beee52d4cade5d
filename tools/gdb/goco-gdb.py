"""Goroutines in gdb, live or from a core file; the program needs neither debug information nor a special build.

    (gdb) source goco-gdb.py
    (gdb) info goroutines              every goroutine: id, state, what it waits for, entry function, who started it
    (gdb) goroutine 7 bt               a gdb command with goroutine 7 selected: bt, info locals, up, frame 3, ...
    (gdb) goroutine all bt             the same for each

How it works. The library describes its own layout in go__gdb_layout: a table of 64-bit words in the order of FIELDS. A parked
goroutine's registers lie on its stack where the switch pushed them; an unwinder, active during one command only, tells gdb that
the caller of the current thread's innermost frame is the goroutine's. So the goroutine's frames are numbered from 1 and nothing in
the process is written.
"""

import struct

import gdb
import gdb.unwinder

VERSION = 1

# src/debug/gdb.c writes these words in this order.
FIELDS = (
    "version", "saved_bytes", "head_bytes",
    "g_sp", "g_status", "g_reason", "g_m", "g_id", "g_parent", "g_created_at", "g_since", "g_name", "g_entry", "m_tid",
    "reasons", "reason_count",
    "depots", "depot_count", "depot_bytes", "depot_slabs", "depot_stride", "slab_link", "slab_cut", "first_0", "first_1", "customs",
)

IDLE, RUNNABLE, RUNNING, WAITING, DEAD = range(5)
STATE_NAMES = {RUNNABLE: "runnable", RUNNING: "running", WAITING: "waiting"}

# Where go__switch leaves the callee-saved registers, in bytes above the saved stack pointer (src/arch/gobuf.h).
SAVED_X86_64 = (("r15", 0), ("r14", 8), ("r13", 16), ("r12", 24), ("rbx", 32), ("rbp", 40), ("rip", 48))
SAVED_AARCH64 = tuple(("x%d" % (19 + i), 8 * i) for i in range(11)) + (("pc", 88),)


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address):
    return struct.unpack("<Q", read(address, 8))[0]


def text(address):
    """The C string at address, "" for NULL."""
    if address == 0:
        return ""
    out = b""
    while len(out) < 256:
        byte = read(address + len(out), 1)
        if byte == b"\0":
            break
        out += byte
    return out.decode("utf-8", "replace")


def function_at(address):
    """Name of the function around a code address."""
    shown = gdb.execute("info symbol 0x%x" % address, to_string=True).strip()
    return shown.split(" in section")[0] if "No symbol" not in shown else "0x%x" % address


class Layout:
    def __init__(self):
        try:
            base = int(gdb.parse_and_eval("(unsigned long)&go__gdb_layout"))
        except gdb.error:
            raise gdb.GdbError("No goco in this program (symbol go__gdb_layout not found).")
        values = struct.unpack("<%dQ" % len(FIELDS), read(base, 8 * len(FIELDS)))
        for name, value in zip(FIELDS, values):
            setattr(self, name, value)
        if self.version == 0:
            raise gdb.GdbError("The goco runtime has not started yet.")
        if self.version != VERSION:
            raise gdb.GdbError("goco-gdb.py is of another version than the program's libgoco.")


class Goroutine:
    def __init__(self, layout, address):
        self.layout = layout
        head = read(address, layout.head_bytes)

        def at(offset, code="<Q"):
            return struct.unpack_from(code, head, offset)[0]

        self.address = address
        self.sp = at(layout.g_sp)
        self.status = at(layout.g_status, "<I")
        self.reason = at(layout.g_reason, "<B")
        self.m = at(layout.g_m)
        self.id = at(layout.g_id)
        self.parent = at(layout.g_parent)
        self.created_at = at(layout.g_created_at)
        self.name_at = at(layout.g_name)
        self.entry = at(layout.g_entry)

    def state(self):
        if self.status == WAITING and self.reason < self.layout.reason_count:
            shown = text(word(self.layout.reasons + 8 * self.reason))
            if shown:
                return shown
        return STATE_NAMES.get(self.status, "?")

    def thread(self):
        """The gdb thread that runs it, or None."""
        if self.m == 0:
            return None
        tid = struct.unpack("<I", read(self.m + self.layout.m_tid, 4))[0]
        for thread in gdb.selected_inferior().threads():
            if tid in thread.ptid[1:]:
                return thread
        return None


def list_nodes(head):
    """Addresses of the nodes of an intrusive list with a sentinel."""
    node = word(head)
    while node not in (0, head):
        yield node
        node = word(node)


def goroutines():
    """Every live goroutine, by id."""
    layout = Layout()
    found = []

    def look(address):
        if struct.unpack("<I", read(address + layout.g_status, 4))[0] in STATE_NAMES:
            found.append(Goroutine(layout, address))

    for i in range(layout.depot_count):
        depot = layout.depots + i * layout.depot_bytes
        stride = word(depot + layout.depot_stride)
        first = getattr(layout, "first_%d" % i)
        for node in list_nodes(depot + layout.depot_slabs):
            slab = node - layout.slab_link
            for k in range(struct.unpack("<I", read(slab + layout.slab_cut, 4))[0]):
                look(slab + first + (k + 1) * stride - layout.head_bytes)
    for node in list_nodes(layout.customs):
        look(node - layout.head_bytes)
    return sorted(found, key=lambda g: g.id)


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """While a goroutine is chosen: whoever called the current thread's innermost frame is that goroutine."""

    def __init__(self):
        super().__init__("goco parked goroutine")
        self.chosen = None
        self.top = None

    def choose(self, goroutine):
        frame = gdb.newest_frame()
        names = ("rsp", "rip") if is_x86_64() else ("sp", "pc")
        self.top = tuple(int(frame.read_register(n)) for n in names)
        self.chosen = goroutine
        gdb.invalidate_cached_frames()

    def forget(self):
        self.chosen = None
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.chosen is None:
            return None
        x86_64 = is_x86_64()
        names = ("rsp", "rip") if x86_64 else ("sp", "pc")
        if tuple(int(pending.read_register(n)) for n in names) != self.top:
            return None
        unsigned_long = gdb.lookup_type("unsigned long")
        sp = self.chosen.sp
        # gdb refuses a caller that lies below its callee, so this frame claims to lie just below the goroutine's.
        info = pending.create_unwind_info(FrameId(gdb.Value(sp).cast(unsigned_long), pending.read_register(names[1])))

        def save(register, value):
            info.add_saved_register(register, gdb.Value(value).cast(unsigned_long))

        for register, offset in SAVED_X86_64 if x86_64 else SAVED_AARCH64:
            save(register, word(sp + offset))
        save(names[0], sp + self.chosen.layout.saved_bytes + (8 if x86_64 else 0))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


def is_x86_64():
    return "x86-64" in gdb.selected_inferior().architecture().name()


unwinder = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def run_parked(goroutine, command):
    """Runs a gdb command as if the goroutine were the current thread."""
    unwinder.choose(goroutine)
    try:
        gdb.newest_frame().older().select()
        shown = gdb.execute(command, to_string=True)
    finally:
        unwinder.forget()
        gdb.newest_frame().select()
    if command.split()[0] in ("bt", "backtrace", "where"):
        lines = shown.splitlines(True)  # frame 0 is the thread's, not the goroutine's
        starts = [i for i, line in enumerate(lines) if line.startswith("#1 ")]
        shown = "".join(lines[starts[0]:]) if starts else shown
    return shown


def run_running(goroutine, command):
    thread = goroutine.thread()
    if thread is None:
        raise gdb.GdbError("Goroutine %d is running, but its thread is not known." % goroutine.id)
    before = gdb.selected_thread()
    thread.switch()
    try:
        return gdb.execute(command, to_string=True)
    finally:
        before.switch()


class InfoGoroutines(gdb.Command):
    """List the goroutines of a goco program: id, name, state, entry function, and who started it."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for g in goroutines():
            name = text(g.name_at)
            shown = '%d %s[%s] %s' % (g.id, '"%s" ' % name if name else "", g.state(), function_at(g.entry))
            if g.created_at != 0:
                by = "goroutine %d" % g.parent if g.parent != 0 else "another thread"
                shown += ", created by %s in %s" % (by, function_at(g.created_at - 1))
            gdb.write(shown + "\n")


class GoroutineCommand(gdb.Command):
    """Run a gdb command with a goroutine selected: goroutine ID|all COMMAND. Without COMMAND: bt."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        which, _, command = argument.strip().partition(" ")
        command = command.strip() or "bt"
        if which == "all":
            for g in goroutines():
                gdb.write('goroutine %d [%s]:\n' % (g.id, g.state()))
                self.run(g, command)
                gdb.write("\n")
            return
        if not which.isdigit():
            raise gdb.GdbError("Usage: goroutine ID|all COMMAND")
        chosen = [g for g in goroutines() if g.id == int(which)]
        if not chosen:
            raise gdb.GdbError("No goroutine %s." % which)
        self.run(chosen[0], command)

    def run(self, goroutine, command):
        run = run_running if goroutine.status == RUNNING else run_parked
        gdb.write(run(goroutine, command))


InfoGoroutines()
GoroutineCommand()
