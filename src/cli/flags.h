/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags as rows, parsed the way pflag does it for docker: "--name=v", "--name v",
 * combined shorts ("-it", "-p80:80"), "--" ends them, and a command may say
 * that nothing behind its first argument is a flag. Values are checked when
 * they are read, so that a wrong one is reported with the flag's own name.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

enum flag_type {
	FLAG_BOOL,
	FLAG_STRING,
	FLAG_INT,        /* int64 */
	FLAG_UINT16,
	FLAG_UINT,
	FLAG_BYTES,      /* "64m"; binary units */
	FLAG_SWAP,       /* bytes or -1 */
	FLAG_DECIMAL,    /* CPUs in ten-to-the-minus-9 */
	FLAG_DURATION,
	FLAG_LIST,       /* may be given several times */
	FLAG_CSV,        /* several times, each a comma-separated list */
	FLAG_MAP,        /* several times, key=value */
	FLAG_FILTER,     /* several times, key=value, both needed */
};
enum flag_bits { FLAG_HIDDEN = 1, FLAG_TYPE_NAME_OWN = 2 };

struct flag {
	const char *name;
	char letter;             /* 0: none */
	enum flag_type type;
	const char *type_name;   /* NULL: the type's usual word */
	const char *initial;     /* default as text; NULL: none */
	const char *help;
	unsigned bits;
	/* Further check of one value; sets e to the reason. NULL: none. */
	int (*check)(const char *value, struct err *e);
	const char *bare;        /* --name without a value means this; NULL: a value is needed (bools: true) */
};

struct flag_value {
	const char **v;          /* texts as given (CSV split) */
	size_t n, cap;
	bool changed;
};

struct flags {
	const struct flag *rows;
	size_t n;
	struct flag_value *values;   /* one per row */
	struct arena *arena;
	int argc;                    /* arguments that are no flags */
	const char **argv;
	int dash;                    /* how many of them stand before "--"; -1: there is none */
	bool help;                   /* --help or -h (where no row claims it) was seen */
};

/* Reads argv (without the command's own word). intermixed = false: everything from the first argument on is one.
 * -EINVAL with pflag's sentence in e. */
int flags_parse(struct flags *f, struct arena *a, const struct flag *rows, size_t n, int argc, const char *const *argv,
		bool intermixed, struct err *e);
/* Values by the row's name; asking for a name that no row has is a bug (asserted). Defaults apply. */
bool flag_bool(const struct flags *f, const char *name);
const char *flag_str(const struct flags *f, const char *name);      /* "" when absent and without default */
int64_t flag_num(const struct flags *f, const char *name);          /* any of the number types, in their unit */
bool flag_changed(const struct flags *f, const char *name);
const struct flag_value *flag_list(const struct flags *f, const char *name);
/* True where the table has the row at all (commands share handlers). */
bool flag_known(const struct flags *f, const char *name);
/* The rows as help text, wrapped for a terminal of `columns`. */
void flags_help(const struct flag *rows, size_t n, unsigned columns, struct buf *out);
const char *flag_type_word(const struct flag *f);
