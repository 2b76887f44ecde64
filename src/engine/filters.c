/* SPDX-License-Identifier: Apache-2.0 */
/* ?filters= in both of its forms, and how values match. */
#include <errno.h>
#include <regex.h>

#include "base/clock.h"
#include "base/num.h"
#include "engine/engine_int.h"

enum { FILTERS_TEXT_MAX = 64 * 1024, PATTERN_MAX = 256 };

int filters_parse(struct arena *a, const char *text, struct filters *ret, struct err *e)
{
	*ret = (struct filters){ 0 };
	if (!text || !*text)
		return 0;
	struct slice s = slice_of(text);
	if (s.len > FILTERS_TEXT_MAX)
		return err_set(e, EINVAL, "invalid filter: too long");
	struct docker_filters f;
	struct err first = { 0 };
	if (schema_from_json(T_docker_filters, s, 0, a, &f, &first) == 0) {
		ret->v = arena_array(a, f.n_items, sizeof *ret->v);
		for (uint32_t i = 0; ret->v && i < f.n_items; i++) {
			struct filter *o = &ret->v[ret->n];
			*o = (struct filter){ f.items[i].key, arena_array(a, f.items[i].n_value, sizeof(char *)), 0 };
			/* as Docker: presence counts, the boolean does not */
			for (uint32_t k = 0; o->values && k < f.items[i].n_value; k++)
				o->values[o->n++] = f.items[i].value[k].key;
			ret->n++;
		}
		return ret->v ? 0 : err_nomem(e);
	}
	struct docker_filters_old old;
	if (schema_from_json(T_docker_filters_old, s, 0, a, &old, NULL) < 0)
		return err_set(e, EINVAL, "invalid filter: %s", first.text);
	ret->v = arena_array(a, old.n_items, sizeof *ret->v);
	for (uint32_t i = 0; ret->v && i < old.n_items; i++)
		ret->v[ret->n++] = (struct filter){ old.items[i].key, old.items[i].value, old.items[i].n_value };
	return ret->v ? 0 : err_nomem(e);
}

int filters_check(const struct filters *f, const char *const *known, struct err *e)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const char *const *k = known;
		while (*k && strcmp(*k, f->v[i].key))
			k++;
		if (!*k)
			return err_set(e, EINVAL, "invalid filter '%s'", f->v[i].key);
	}
	return 0;
}

const struct filter *filters_get(const struct filters *f, const char *key)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (!strcmp(f->v[i].key, key) && f->v[i].n)
			return &f->v[i];
	return NULL;
}

static bool label_holds(const char *want, const struct schema_pair *labels, uint32_t n)
{
	struct slice key, value;
	bool has_value = slice_cut(slice_of(want), '=', &key, &value);
	for (uint32_t i = 0; i < n; i++)
		if (slice_is(key, labels[i].key))
			return !has_value || slice_is(value, labels[i].value ? labels[i].value : "");
	return false;
}

bool filters_labels(const struct filters *f, const struct schema_pair *labels, uint32_t n, bool negative)
{
	const struct filter *l = filters_get(f, "label");
	for (uint32_t i = 0; l && i < l->n; i++)
		if (!label_holds(l->values[i], labels, n))
			return false;
	l = negative ? filters_get(f, "label!") : NULL;
	for (uint32_t i = 0; l && i < l->n; i++)
		if (label_holds(l->values[i], labels, n))
			return false;
	return true;
}

bool filters_exact(const struct filters *f, const char *key, const char *value)
{
	const struct filter *x = filters_get(f, key);
	return !x || strings_have(x->values, x->n, value);
}

static bool pattern_matches(const char *pattern, const char *value)
{
	if (!strcmp(pattern, value) || strstr(value, pattern))
		return true;
	if (strlen(pattern) > PATTERN_MAX || !strpbrk(pattern, "^$.*+?[]()|\\{}"))
		return false;
	/* values are names of bounded length, patterns too: the matcher's worst case stays small */
	regex_t re;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	bool yes = strlen(value) <= PATTERN_MAX && regexec(&re, value, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

bool filters_match(const struct filters *f, const char *key, const char *value)
{
	const struct filter *x = filters_get(f, key);
	if (!x)
		return true;
	for (uint32_t i = 0; i < x->n; i++)
		if (pattern_matches(x->values[i], value))
			return true;
	return false;
}

int filters_bool(const struct filters *f, const char *key, bool *ret, struct err *e)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" }, *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	const struct filter *x = filters_get(f, key);
	if (!x)
		return 0;
	bool is_yes = false, is_no = false;
	for (uint32_t i = 0; i < x->n; i++) {
		if (strings_have(yes, ARRAY_LEN(yes), x->values[i]))
			is_yes = true;
		else if (strings_have(no, ARRAY_LEN(no), x->values[i]))
			is_no = true;
		else
			return err_set(e, EINVAL, "invalid filter '%s=%s'", key, x->values[i]);
	}
	if (is_yes && is_no)
		return err_set(e, EINVAL, "invalid filter '%s'", key);
	*ret = is_yes;
	return 0;
}

int api_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns)
{
	struct slice s = slice_of(text), sec, frac;
	int64_t seconds, ns;
	bool has_frac = slice_cut(s, '.', &sec, &frac);
	if (num_parse_i64(sec, INT64_MIN / NS_PER_S + 1, INT64_MAX / NS_PER_S - 1, &seconds) == 0) {
		ns = 0;
		if (has_frac) {
			char digits[10] = "000000000";
			if (!frac.len || frac.len > 9)
				return -EINVAL;
			memcpy(digits, frac.ptr, frac.len);
			if (num_parse_i64(slice_of(digits), 0, NS_PER_S, &ns) < 0)
				return -EINVAL;
		}
		*ret_ns = seconds * NS_PER_S + ns;
		return 0;
	}
	if (duration_parse(s, &ns) == 0) {
		*ret_ns = now_ns - ns;
		return 0;
	}
	/* dates with pieces missing, in the order of what is missing */
	static const char *const tails[] = { "", "Z", ":00Z", ":00:00Z", "T00:00:00Z" };
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		char full[80];
		if (fmt_into(full, sizeof full, "%s%s", text, tails[i]) && clock_parse_rfc3339(slice_of(full), ret_ns) == 0)
			return 0;
	}
	return -EINVAL;
}

int filters_until(const struct filters *f, int64_t now_ns, int64_t *ret_ns, struct err *e)
{
	const struct filter *x = filters_get(f, "until");
	*ret_ns = 0;
	if (!x)
		return 0;
	if (x->n > 1)
		return err_set(e, EINVAL, "more than one until filter specified");
	if (api_time_parse(x->values[0], now_ns, ret_ns) < 0)
		return err_set(e, EINVAL, "invalid filter 'until=%s'", x->values[0]);
	return 0;
}
