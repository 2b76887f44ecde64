/* SPDX-License-Identifier: Apache-2.0 */
/* Flag values with a grammar. See spec.h. */
#include "cli/spec.h"
#include <ctype.h>
#include "base/auto.h"
#include "base/num.h"
#include "cli/mount.h"
#include "cli/text.h"

static bool device_mode_ok(struct slice s)
{
	if (!s.len || s.len > 3)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("rwm", s.ptr[i]) || (i && memchr(s.ptr, s.ptr[i], i)))
			return false;
	return true;
}

int spec_device(struct arena *a, const char *s, struct docker_device_mapping *ret, struct err *e)
{
	struct slice rest = slice_of(s), v[4], piece;
	size_t n = 0;

	while (slice_next(&rest, ':', &piece) && n < 4)
		v[n++] = piece;
	if (n == 0 || n > 3 || !v[0].len)
		return err_set(e, EINVAL, "bad format for path: %s", s);
	ret->path_on_host = arena_dup(a, v[0]);
	ret->path_in_container = ret->path_on_host;
	ret->cgroup_permissions = "rwm";
	if (n == 2 && device_mode_ok(v[1]))
		ret->cgroup_permissions = arena_dup(a, v[1]);
	else if (n >= 2)
		ret->path_in_container = arena_dup(a, v[1]);
	if (n == 3) {
		if (!device_mode_ok(v[2]))
			return err_set(e, EINVAL, "bad mode specified: %.*s", SLICE_FMT(v[2]));
		ret->cgroup_permissions = arena_dup(a, v[2]);
	}
	return ret->path_in_container[0] == '/' || n == 1 ? 0 :
		err_set(e, EINVAL, "%s is not an absolute path", ret->path_in_container);
}

int spec_throttle(struct arena *a, const char *s, bool bytes, struct docker_throttle_device *ret, struct err *e)
{
	struct slice path, rate;
	uint64_t u = 0;
	int64_t n = 0;

	if (!slice_cut(slice_of(s), ':', &path, &rate) || !path.len)
		return err_set(e, EINVAL, "bad format: %s", s);
	if (!slice_starts(path, "/dev/"))
		return err_set(e, EINVAL, "bad format for device path: %s", s);
	if (bytes ? num_parse_bytes(rate, &n) < 0 || n < 0 : num_parse_u64(rate, UINT64_MAX, &u) < 0)
		return err_set(e, EINVAL, bytes ? "invalid rate for device: %s. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
						: "invalid rate for device: %s. The correct format is <device-path>:<number>. Number must be a positive integer",
			       s);
	*ret = (struct docker_throttle_device){ arena_dup(a, path), bytes ? (uint64_t)n : u };
	return 0;
}

int spec_weight(struct arena *a, const char *s, struct docker_weight_device *ret, struct err *e)
{
	struct slice path, weight;
	uint64_t w;

	if (!slice_cut(slice_of(s), ':', &path, &weight) || !path.len)
		return err_set(e, EINVAL, "bad format: %s", s);
	if (!slice_starts(path, "/dev/"))
		return err_set(e, EINVAL, "bad format for device path: %s", s);
	if (num_parse_u64(weight, 65535, &w) < 0 || (w > 0 && (w < 10 || w > 1000)))
		return err_set(e, EINVAL, "invalid weight for device: %s", s);
	*ret = (struct docker_weight_device){ arena_dup(a, path), (uint16_t)w };
	return 0;
}

int spec_ulimit(struct arena *a, const char *s, struct docker_ulimit *ret, struct err *e)
{
	static const char *const names[] = { "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
					     "rtprio", "rttime", "sigpending", "stack" };
	struct slice name, value, soft, hard;
	bool known = false;

	if (!slice_cut(slice_of(s), '=', &name, &value))
		return err_set(e, EINVAL, "invalid ulimit argument: %s", s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		known |= slice_is(name, names[i]);
	if (!known)
		return err_set(e, EINVAL, "invalid ulimit type: %.*s", SLICE_FMT(name));
	bool both = slice_cut(value, ':', &soft, &hard);
	if (both && slice_find(hard, ':') >= 0)
		return err_set(e, EINVAL, "too many limit value arguments - %.*s, can only have up to two, `soft[:hard]`", SLICE_FMT(value));
	ret->name = arena_dup(a, name);
	if (num_parse_i64(soft, -1, INT64_MAX, &ret->soft) < 0)
		return err_set(e, EINVAL, "strconv.ParseInt: parsing \"%.*s\": invalid syntax", SLICE_FMT(soft));
	ret->hard = ret->soft;
	if (both && num_parse_i64(hard, -1, INT64_MAX, &ret->hard) < 0)
		return err_set(e, EINVAL, "strconv.ParseInt: parsing \"%.*s\": invalid syntax", SLICE_FMT(hard));
	if (ret->hard != -1 && (ret->soft == -1 || ret->soft > ret->hard))
		return err_set(e, EINVAL, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld", (long long)ret->soft,
			       (long long)ret->hard);
	return 0;
}

int spec_restart(struct arena *a, const char *s, struct docker_restart_policy *ret, struct err *e)
{
	struct slice name, count;

	*ret = (struct docker_restart_policy){ 0 };
	if (!*s)
		return 0;
	bool has = slice_cut(slice_of(s), ':', &name, &count);
	if (!name.len)
		return err_set(e, EINVAL, "invalid restart policy format: no policy provided before colon");
	if (has && count.len && num_parse_i64(count, 0, INT32_MAX, &ret->maximum_retry_count) < 0)
		return err_set(e, EINVAL, "invalid restart policy format: maximum retry count must be an integer");
	ret->name = arena_dup(a, name);
	return 0;
}

int spec_gpus(struct arena *a, const char *s, struct docker_device_request *ret, struct err *e)
{
	const char *field;
	bool counted = false;

	*ret = (struct docker_device_request){ 0 };
	struct docker_string_list *caps = arena_new(a, struct docker_string_list);
	text_add(a, &caps->items, &caps->n_items, "gpu");
	while (csv_next(a, &s, &field)) {
		struct slice key, value;
		bool pair = slice_cut(slice_of(field), '=', &key, &value);
		if (!pair) {
			value = key;
			key = SLICE("count");
		}
		if (slice_is(key, "count")) {
			counted = true;
			if (slice_is(value, "all"))
				ret->count = -1;
			else if (num_parse_i64(value, 0, INT32_MAX, &ret->count) < 0)
				return err_set(e, EINVAL, "invalid count (%.*s): value must be either \"all\" or an integer: invalid syntax",
					       SLICE_FMT(value));
		} else if (slice_is(key, "driver")) {
			ret->driver = arena_dup(a, value);
		} else if (slice_is(key, "device")) {
			struct slice id;
			while (slice_next(&value, ',', &id))
				text_add(a, &ret->device_ids, &ret->n_device_ids, arena_dup(a, id));
		} else if (slice_is(key, "capabilities")) {
			struct slice cap;
			while (slice_next(&value, ',', &cap))
				text_add(a, &caps->items, &caps->n_items, arena_dup(a, cap));
		} else if (slice_is(key, "options")) {
			pair_add(a, &ret->options, &ret->n_options, arena_dup(a, value));
		} else {
			return err_set(e, EINVAL, "unexpected key '%.*s' in '%s'", SLICE_FMT(key), field);
		}
	}
	if (!counted && !ret->n_device_ids)
		ret->count = 1;
	ret->capabilities = caps;
	ret->n_capabilities = 1;
	return 0;
}

/* --- names of images ------------------------------------------------------------ */

struct image_name spec_image(const char *s)
{
	struct image_name n = { 0 };
	struct slice rest = slice_of(s);
	ptrdiff_t at = slice_find(rest, '@');

	if (at >= 0) {
		n.digest = slice_n(rest.ptr + at + 1, rest.len - (size_t)at - 1);
		rest.len = (size_t)at;
	}
	at = slice_rfind(rest, ':');
	if (at >= 0 && slice_find(slice_n(rest.ptr + at, rest.len - (size_t)at), '/') < 0) {
		n.tag = slice_n(rest.ptr + at + 1, rest.len - (size_t)at - 1);
		rest.len = (size_t)at;
	}
	n.repo = rest;
	return n;
}

static bool has_registry(struct slice repo, struct slice *registry, struct slice *path)
{
	if (!slice_cut(repo, '/', registry, path))
		return false;
	if (slice_find(*registry, '.') >= 0 || slice_find(*registry, ':') >= 0 || slice_is(*registry, "localhost"))
		return true;
	for (size_t i = 0; i < registry->len; i++)
		if (isupper((unsigned char)registry->ptr[i]))
			return true;
	return false;
}

static bool path_ok(struct slice path)
{
	struct slice piece;

	while (slice_next(&path, '/', &piece)) {
		if (!piece.len || !isalnum((unsigned char)piece.ptr[0]) || !isalnum((unsigned char)piece.ptr[piece.len - 1]))
			return false;
		for (size_t i = 0; i < piece.len; i++) {
			unsigned char c = (unsigned char)piece.ptr[i];
			if (isupper(c) || (!isalnum(c) && !strchr("._-", c)) || (c == '.' && piece.ptr[i - 1] == '.'))
				return false;
		}
	}
	return true;
}

const char *spec_reference_error(struct arena *a, const char *s)
{
	struct slice repo = spec_image(s).repo, registry, path;
	bool upper = false;

	if (!has_registry(repo, &registry, &path))
		path = repo;
	for (size_t i = 0; i < path.len; i++)
		upper |= isupper((unsigned char)path.ptr[i]) != 0;
	if (!upper)
		return "invalid reference format";
	const char *full = spec_full_repo(a, repo);
	return arena_fmt(a, "invalid reference format: repository name (%s) must be lowercase",
			 strncmp(full, "docker.io/", 10) == 0 ? full + 10 : path.ptr ? arena_dup(a, path) : "");
}

bool spec_reference_ok(const char *s)
{
	struct image_name n = spec_image(s);
	struct slice registry, path = n.repo;

	if (!n.repo.len || strlen(s) > 2048)
		return false;
	if (!has_registry(n.repo, &registry, &path))
		path = n.repo;
	if (!path.len)
		return false;
	if (strchr(s, '@') && !(n.digest.len >= 71 && slice_starts(n.digest, "sha")))
		return false;
	if (n.tag.ptr) {
		if (!n.tag.len || n.tag.len > 128)
			return false;
		for (size_t i = 0; i < n.tag.len; i++) {
			unsigned char c = (unsigned char)n.tag.ptr[i];
			if (!isalnum(c) && c != '_' && (i == 0 || !strchr(".-", c)))
				return false;
		}
	}
	if (!path_ok(path))
		return false;
	/* 64 hex digits are an id, not a name */
	if (path.ptr == n.repo.ptr && path.len == 64) {
		bool hex = true;
		for (size_t i = 0; i < 64; i++)
			hex &= isxdigit((unsigned char)path.ptr[i]) != 0;
		return !hex;
	}
	return true;
}

const char *spec_full_repo(struct arena *a, struct slice repo)
{
	struct slice registry, path;

	if (has_registry(repo, &registry, &path)) {
		if (slice_is(registry, "index.docker.io"))
			registry = SLICE("docker.io");
		if (slice_is(registry, "docker.io") && slice_find(path, '/') < 0)
			return arena_fmt(a, "docker.io/library/%.*s", SLICE_FMT(path));
		return arena_fmt(a, "%.*s/%.*s", SLICE_FMT(registry), SLICE_FMT(path));
	}
	return arena_fmt(a, "docker.io/%s%.*s", slice_find(repo, '/') < 0 ? "library/" : "", SLICE_FMT(repo));
}

const char *spec_familiar(struct arena *a, struct slice repo)
{
	const char *full = spec_full_repo(a, repo);

	if (!full)
		return "";
	if (strncmp(full, "docker.io/", 10) != 0)
		return full;
	full += 10;
	return strncmp(full, "library/", 8) == 0 && !strchr(full + 8, '/') ? full + 8 : full;
}
