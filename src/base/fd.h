/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and whole files, with blocking system calls: for the runtime,
 * the command lines, start-up code and worker jobs, not for loops.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

/* All n bytes, or -errno; -EPIPE on a short read (fd_read_all). EINTR is retried. */
int fd_write_all(int fd, const void *p, size_t n);
int fd_read_all(int fd, void *p, size_t n);
/* Reads to the end into out (its ceiling applies). */
int fd_slurp(int fd, struct buf *out);
/* Reads a file below dirfd (AT_FDCWD, absolute path allowed) into out. */
int file_read(int dirfd, const char *path, struct buf *out);
/* Writes to an existing file (cgroup, proc) in one write; -errno. */
int file_poke(int dirfd, const char *path, const char *text);
/* Makes a file appear whole and durable: temporary name, fsync, rename, fsync of the folder. */
int file_write_atomic(int dirfd, const char *path, struct slice data, mode_t mode, struct err *e);
/* mkdir -p below dirfd; 0 also when it exists. */
int dir_make(int dirfd, const char *path, mode_t mode);
/* rm -rf of `path` below dirfd: never follows links, never leaves the file system it starts on; 0 when it is not there. */
int dir_remove(int dirfd, const char *path, struct err *e);
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
/* Unix sockets. Sends or receives one message with up to 16 descriptors; received ones are O_CLOEXEC. Bytes or -errno. */
ssize_t fd_send(int sock, const void *p, size_t n, const int *fds, size_t n_fds);
ssize_t fd_recv(int sock, void *p, size_t n, int *fds, size_t *n_fds /* in: room, out: got */);
/* Listens on (or connects to) a Unix socket path; one past the kernel's limit of 107 bytes is reached through its folder. */
int unix_listen(const char *path, mode_t mode, int type, struct err *e);
int unix_connect(const char *path, int type, struct err *e);
