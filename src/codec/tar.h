/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tar archives: ustar, PAX (path, linkpath, size, uid, gid, mtime, uname,
 * gname, SCHILY.xattr.*, GNU.sparse.*), GNU long names, base-256 numbers and
 * the four sparse forms, as Go's archive/tar reads them. Bytes come from a
 * function and go into a buffer: no system call here. What an entry may do to
 * a file system is decided by who applies it (unpack/), not here.
 *
 * Every length that the archive states is bounded; a malformed archive is
 * -EBADMSG with a sentence, a cut one -EPIPE.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum tar_type {
	TAR_FILE = '0', TAR_HARDLINK = '1', TAR_SYMLINK = '2', TAR_CHAR = '3', TAR_BLOCK = '4', TAR_DIR = '5', TAR_FIFO = '6',
};
#define TAR_BLOCK_BYTES 512
#define TAR_NAME_MAX 65536        /* longest name or link target that is read */
#define TAR_META_MAX (1 << 20)    /* bytes of one PAX header */
#define TAR_XATTRS_MAX 256
#define TAR_HOLES_MAX 65536       /* pieces of a sparse file */

struct tar_xattr {
	const char *name;             /* "security.capability" */
	struct slice value;
};
struct tar_entry {
	char type;                    /* enum tar_type; anything else is a kind that we do not know */
	const char *name;             /* as stored, with the trailing slash that directories have */
	const char *link;             /* "" unless a link */
	const char *uname, *gname;    /* "" when absent; only the reader sets them */
	uint32_t mode;                /* 07777 */
	uint32_t uid, gid;
	int64_t size_bytes;           /* real size with holes; 0 for what has no data */
	int64_t mtime_ns;
	uint32_t dev_major, dev_minor;
	struct tar_xattr *xattrs;
	size_t n_xattrs;
};

/* Bytes read (0 at the end of the input), or -errno. */
typedef ssize_t (*tar_read_fn)(void *arg, void *p, size_t n);

struct tar_piece { int64_t offset, len; };
struct tar_reader {
	tar_read_fn read;
	void *arg;
	struct arena strings;         /* of the entry last returned */
	char *window;                 /* read ahead */
	size_t at, end;
	int64_t data_left;            /* stored bytes of this entry not yet read */
	int64_t pad_left;
	struct tar_piece *pieces;     /* sparse map, in strings; NULL: one piece */
	size_t n_pieces, piece;
	int64_t offset;               /* where the next data byte belongs */
	bool ended;
};

void tar_reader_init(struct tar_reader *r, tar_read_fn read, void *arg);
void tar_reader_release(struct tar_reader *r);
static inline void auto_tar_reader(struct tar_reader *r) { tar_reader_release(r); }
/* Skips what is left of the entry before and reads the next header. 1, 0 at the end, -errno. Texts in *e live until the next call. */
int tar_next(struct tar_reader *r, struct tar_entry *entry, struct err *e);
/* Data of the entry: bytes put at p (0 at its end) and the file offset they belong to; holes are what is left out. */
ssize_t tar_data(struct tar_reader *r, void *p, size_t n, int64_t *ret_offset, struct err *e);
/* Reads everything behind the archive's end, so that who writes the pipe is never cut off. */
int tar_drain(struct tar_reader *r, struct err *e);

/*
 * Appends the header blocks of an entry (size_bytes of data are to follow,
 * then tar_put_padding). Plain ustar where it fits, PAX records where not; the
 * same entry always gives the same bytes. Times are cut to seconds.
 */
int tar_put_header(struct buf *out, const struct tar_entry *entry);
int tar_put_padding(struct buf *out, int64_t size_bytes);
/* The two zero blocks. */
int tar_put_end(struct buf *out);
