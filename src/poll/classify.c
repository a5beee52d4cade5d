/* What a foreign descriptor is: looked at on its first use. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "os/syscall.h"
#include "poll/netpoll.h"

static int make_nonblocking(int fd, long flags)
{
    if ((flags & O_NONBLOCK) != 0) {
        return 0;
    }
    return (int)go__syscall3(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
}

/* 0 or -errno; *kind is set. */
static int look(struct go__fd_use *use, enum go__fd_kind *kind)
{
    struct stat st;
    long error = go__syscall2(SYS_fstat, use->fd, (long)&st);
    if (error < 0) {
        return (int)error;
    }
    unsigned type = st.st_mode & S_IFMT;
    if (type == S_IFREG || type == S_IFDIR || type == S_IFBLK) {
        *kind = GO__FD_FILE;
        return 0;
    }
    *kind = type == S_IFSOCK ? GO__FD_SOCKET : GO__FD_PIPE;
    if (type != S_IFSOCK && type != S_IFIFO) { /* a device, a timerfd: only the poller knows */
        error = go__netpoll_probe(use->record, use->fd);
        if (error == -EPERM) {
            *kind = GO__FD_FILE;
            return 0;
        }
    }
    if (error == 0 && use->fd <= 2 && type != S_IFSOCK) {
        *kind = GO__FD_SHARED;
    }
    return (int)error;
}

int go__fd_classify(struct go__fd_use *use)
{
    enum go__fd_kind kind;
    int error = look(use, &kind);
    if (error != 0) {
        return error;
    }
    if (use->fd > 2 && kind != GO__FD_FILE) {
        long flags = go__syscall2(SYS_fcntl, use->fd, F_GETFL);
        error = flags < 0 ? (int)flags : make_nonblocking(use->fd, flags);
    }
    if (error == 0) {
        if (kind != GO__FD_SOCKET) {
            store_rlx(&use->record->inode, UINT64_C(0)); /* rlx, as below: of a socket that had the number before */
        }
        go__fd_raise_top(use->fd);
        store_rlx(&use->record->kind, (uint32_t)kind); /* rlx: any two who look find the same */
    }
    return error;
}
