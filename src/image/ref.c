/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar, by hand, as its regular expressions are simple:
 *
 *   reference := name [":" tag] ["@" digest]
 *   name      := domain "/" path
 *   domain    := host [":" digits]; host: labels with dots, or [IPv6]
 *   path      := component ("/" component)*
 *   component := lower-alnum+ (("." | "_" | "__" | "-"+) lower-alnum+)*
 *   tag       := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
 */
#include "image/ref.h"

#include <ctype.h>
#include <errno.h>

#include "image/digest.h"

enum { PATH_LEN_MAX = 255, TAG_LEN_MAX = 128, TEXT_MAX = 4096 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_alnum(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }

static bool has_upper(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_upper(s.ptr[i]))
			return true;
	return false;
}

bool ref_is_tag(struct slice s)
{
	if (s.len == 0 || s.len > TAG_LEN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!is_alnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}

/* Length of a separator at the front of s, 0 where there is none. */
static size_t separator(struct slice s)
{
	size_t n = 0;
	if (s.len && s.ptr[0] == '.')
		return 1;
	if (s.len && s.ptr[0] == '_')
		return s.len > 1 && s.ptr[1] == '_' ? 2 : 1;
	while (n < s.len && s.ptr[n] == '-')
		n++;
	return n;
}

static bool is_component(struct slice s, bool fold)
{
	for (;;) {
		size_t n = 0;
		while (n < s.len && (is_digit(s.ptr[n]) || is_lower(s.ptr[n]) || (fold && is_upper(s.ptr[n]))))
			n++;
		if (n == 0)
			return false;
		s = slice_n(s.ptr + n, s.len - n);
		if (s.len == 0)
			return true;
		n = separator(s);
		if (n == 0)
			return false;
		s = slice_n(s.ptr + n, s.len - n);
	}
}

static bool is_path(struct slice s, bool fold)
{
	struct slice rest = s, piece;
	if (s.len == 0)
		return false;
	while (slice_next(&rest, '/', &piece))
		if (!is_component(piece, fold))
			return false;
	return true;
}

bool ref_is_path(struct slice s)
{
	return s.len <= PATH_LEN_MAX && is_path(s, false);
}

bool ref_is_hex_id(struct slice s)
{
	if (s.len != 64)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.ptr[i]) && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
			return false;
	return true;
}

static bool is_label(struct slice s)
{
	if (s.len == 0 || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

static bool is_port(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.ptr[i]))
			return false;
	return s.len > 0;
}

static bool is_domain(struct slice s)
{
	struct slice host, port;
	if (s.len && s.ptr[0] == '[') {
		ptrdiff_t end = slice_find(s, ']');
		if (end < 2)
			return false;
		for (ptrdiff_t i = 1; i < end; i++)
			if (!isxdigit((unsigned char)s.ptr[i]) && s.ptr[i] != ':')
				return false;
		struct slice rest = slice_n(s.ptr + end + 1, s.len - (size_t)end - 1);
		return rest.len == 0 || (rest.ptr[0] == ':' && is_port(slice_n(rest.ptr + 1, rest.len - 1)));
	}
	if (slice_cut(s, ':', &host, &port) && !is_port(port))
		return false;
	struct slice piece;
	if (host.len == 0)
		return false;
	while (slice_next(&host, '.', &piece))
		if (!is_label(piece))
			return false;
	return true;
}

/* [A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,} */
static bool looks_like_digest(struct slice s)
{
	struct slice name, hex;
	bool at_start = true;
	if (!slice_cut(s, ':', &name, &hex) || name.len == 0 || hex.len < 32)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (at_start ? !(is_lower(c) || is_upper(c)) : !is_alnum(c) && !strchr("-_+.", c))
			return false;
		at_start = !is_alnum(c);
	}
	for (size_t i = 0; i < hex.len; i++)
		if (!isxdigit((unsigned char)hex.ptr[i]))
			return false;
	return !at_start;
}

struct pieces { struct slice domain, path, tag, digest; };

/* Which part is the host: the first piece if it has a dot, a colon, an upper-case letter or is "localhost". */
static void split_domain(struct slice s, struct slice *domain, struct slice *rest)
{
	struct slice head, tail;
	*domain = SLICE(REF_HUB);
	*rest = s;
	if (!slice_cut(s, '/', &head, &tail))
		return;
	if (slice_find(head, '.') < 0 && slice_find(head, ':') < 0 && !slice_is(head, "localhost") && !has_upper(head))
		return;
	*domain = slice_is(head, "index.docker.io") ? SLICE(REF_HUB) : head;
	*rest = tail;
}

static bool split_rest(struct slice rest, struct pieces *p)
{
	struct slice name, tail;
	bool has_digest = slice_cut(rest, '@', &name, &tail);
	p->digest = has_digest ? tail : (struct slice){ NULL, 0 };
	if (has_digest && !looks_like_digest(tail))
		return false;
	ptrdiff_t colon = slice_find(name, ':');
	p->path = colon < 0 ? name : slice_n(name.ptr, (size_t)colon);
	p->tag = colon < 0 ? (struct slice){ NULL, 0 } : slice_n(name.ptr + colon + 1, name.len - (size_t)colon - 1);
	return colon < 0 || ref_is_tag(p->tag);
}

int ref_parse(struct slice text, struct arena *a, struct ref *ret, struct err *e)
{
	struct pieces p;
	struct slice rest, behind;
	enum digest_algorithm algorithm;
	if (text.len > TEXT_MAX || memchr(text.ptr ? text.ptr : "", 0, text.len))
		return err_set(e, EINVAL, "invalid reference format");
	if (ref_is_hex_id(text))
		return err_set(e, EINVAL, "invalid repository name (%.*s), cannot specify 64-byte hexadecimal strings", SLICE_FMT(text));
	split_domain(text, &p.domain, &rest);
	bool is_library = slice_is(p.domain, REF_HUB) && slice_find(rest, '/') < 0;
	struct slice remote = rest;
	slice_cut(rest, ':', &remote, &behind);
	if (has_upper(remote))
		return err_set(e, EINVAL, "invalid reference format: repository name (%s%.*s) must be lowercase", is_library ? "library/" : "",
			       SLICE_FMT(remote));
	if (!split_rest(rest, &p) || !is_domain(p.domain) || !is_path(p.path, false))
		return err_set(e, EINVAL, "invalid reference format");
	if (p.path.len + (is_library ? 8 : 0) > PATH_LEN_MAX)
		return err_set(e, EINVAL, "repository name must not be more than 255 characters");
	if (p.digest.ptr && digest_parse(p.digest, &algorithm, e) < 0)
		return -EINVAL;
	struct ref r = {
		.domain = arena_dup(a, p.domain),
		.path = arena_fmt(a, "%s%.*s", is_library ? "library/" : "", SLICE_FMT(p.path)),
		.tag = p.tag.ptr ? arena_dup(a, p.tag) : NULL,
		.digest = p.digest.ptr ? arena_dup(a, p.digest) : NULL,
	};
	if (!r.domain || !r.path || (p.tag.ptr && !r.tag) || (p.digest.ptr && !r.digest))
		return err_nomem(e);
	*ret = r;
	return 0;
}

void ref_default_tag(struct ref *r)
{
	if (!r->tag && !r->digest)
		r->tag = "latest";
}

const char *ref_name(const struct ref *r, struct arena *a)
{
	return arena_fmt(a, "%s/%s", r->domain, r->path);
}

/* A path that would read as a host and a path ("docker.io/a.b/c") keeps its domain, so that the short form always means the same. */
const char *ref_familiar_name(const struct ref *r, struct arena *a)
{
	struct slice path = slice_of(r->path), domain, rest;
	if (strcmp(r->domain, REF_HUB) != 0)
		return ref_name(r, a);
	if (slice_starts(path, "library/") && slice_find(slice_n(path.ptr + 8, path.len - 8), '/') < 0)
		return arena_strdup(a, r->path + 8);
	split_domain(path, &domain, &rest);
	return slice_is(domain, REF_HUB) && rest.len == path.len ? arena_strdup(a, r->path) : ref_name(r, a);
}

static const char *with_rest(const struct ref *r, struct arena *a, const char *name)
{
	return name ? arena_fmt(a, "%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
				r->digest ? r->digest : "") : NULL;
}

const char *ref_text(const struct ref *r, struct arena *a)
{
	return with_rest(r, a, ref_name(r, a));
}

const char *ref_familiar(const struct ref *r, struct arena *a)
{
	return with_rest(r, a, ref_familiar_name(r, a));
}
