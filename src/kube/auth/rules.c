// SPDX-License-Identifier: Apache-2.0
/* Rules on their own: does one allow, do some cover others. */
#include <errno.h>
#include "kube/auth/rbac_int.h"
#include "codec/json.h"

enum { ATOMS_MAX = 1000000, MISSING_MAX = 100 };

static bool has(const char **v, uint32_t n, const char *s)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i] && strcmp(v[i], s) == 0)
			return true;
	return false;
}

static bool has_or_all(const char **v, uint32_t n, const char *s) { return has(v, n, "*") || has(v, n, s); }

/* "pods", "pods/log"; rules say those, "*", or "*" + "/log". */
static bool resource_matches(const struct kube_policy_rule *r, const char *resource, const char *sub)
{
	size_t n = strlen(resource);
	for (uint32_t i = 0; i < r->n_resources; i++) {
		const char *s = r->resources[i];
		if (!s)
			continue;
		if (strcmp(s, "*") == 0)
			return true;
		if (!*sub && strcmp(s, resource) == 0)
			return true;
		if (*sub && strncmp(s, resource, n) == 0 && s[n] == '/' && strcmp(s + n + 1, sub) == 0)
			return true;
		if (*sub && s[0] == '*' && s[1] == '/' && strcmp(s + 2, sub) == 0)
			return true;
	}
	return false;
}

static bool path_matches(const char *rule, const char *path)
{
	size_t n = strlen(rule);
	if (strcmp(rule, "*") == 0 || strcmp(rule, path) == 0)
		return true;
	return n && rule[n - 1] == '*' && strncmp(rule, path, n - 1) == 0;
}

bool kube_rule_allows(const struct kube_policy_rule *r, const struct kube_attributes *at)
{
	if (!has_or_all(r->verbs, r->n_verbs, at->verb))
		return false;
	if (!at->is_resource) {
		for (uint32_t i = 0; i < r->n_non_resource_urls; i++)
			if (r->non_resource_urls[i] && path_matches(r->non_resource_urls[i], at->path))
				return true;
		return false;
	}
	return has_or_all(r->api_groups, r->n_api_groups, at->group) && resource_matches(r, at->resource, at->subresource) &&
		(r->n_resource_names == 0 || has(r->resource_names, r->n_resource_names, at->name));
}

/* --- covering ---------------------------------------------------------------------------- */

/* One verb on one thing. */
struct atom { const char *verb, *group, *resource, *name, *url; };     /* name NULL: any */

static bool covers_atom(const struct kube_policy_rule *r, const struct atom *x)
{
	if (!has_or_all(r->verbs, r->n_verbs, x->verb))
		return false;
	if (x->url) {
		for (uint32_t i = 0; i < r->n_non_resource_urls; i++)
			if (r->non_resource_urls[i] && path_matches(r->non_resource_urls[i], x->url))
				return true;
		return false;
	}
	if (!has_or_all(r->api_groups, r->n_api_groups, x->group))
		return false;
	const char *sub = strchr(x->resource, '/');
	bool resource = has_or_all(r->resources, r->n_resources, x->resource);
	for (uint32_t i = 0; i < r->n_resources && !resource && sub; i++)
		resource = r->resources[i] && r->resources[i][0] == '*' && strcmp(r->resources[i] + 1, sub) == 0;
	return resource && (r->n_resource_names == 0 || (x->name && has(r->resource_names, r->n_resource_names, x->name)));
}

static bool covered(const struct kube_rules *owner, const struct atom *x)
{
	for (size_t i = 0; i < owner->n; i++)
		if (covers_atom(owner->v[i], x))
			return true;
	return false;
}

/* Missing atoms, the verbs of one thing together. */
struct missing {
	struct { struct atom atom; VEC(const char *) verbs; } rows[MISSING_MAX];
	size_t n, n_atoms;
	bool any;
};

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static void note(struct missing *m, const struct atom *x)
{
	size_t i = 0;
	m->any = true;
	while (i < m->n && !(same(m->rows[i].atom.group, x->group) && same(m->rows[i].atom.resource, x->resource) && same(m->rows[i].atom.name, x->name) &&
		same(m->rows[i].atom.url, x->url)))
		i++;
	if (i == MISSING_MAX)
		return;
	if (i == m->n)
		m->rows[m->n++].atom = *x;
	for (size_t k = 0; k < m->rows[i].verbs.n; k++)
		if (strcmp(m->rows[i].verbs.v[k], x->verb) == 0)
			return;
	(void)vec_push(&m->rows[i].verbs, x->verb);
}

/* Goes on while atoms are to be counted; false past the ceiling. */
static bool try_atom(const struct kube_rules *owner, const struct atom *x, struct missing *m)
{
	if (++m->n_atoms > ATOMS_MAX) {
		m->any = true;
		return false;
	}
	if (!covered(owner, x))
		note(m, x);
	return true;
}

static void try_rule(const struct kube_rules *owner, const struct kube_policy_rule *r, struct missing *m)
{
	for (uint32_t v = 0; v < r->n_verbs; v++) {
		for (uint32_t u = 0; u < r->n_non_resource_urls; u++)
			if (!try_atom(owner, &(struct atom){ .verb = r->verbs[v], .url = r->non_resource_urls[u] }, m))
				return;
		for (uint32_t g = 0; g < r->n_api_groups; g++)
			for (uint32_t s = 0; s < r->n_resources; s++)
				for (uint32_t k = 0; k < MAX(r->n_resource_names, 1u); k++)
					if (!try_atom(owner, &(struct atom){ r->verbs[v], r->api_groups[g], r->resources[s],
						r->n_resource_names ? r->resource_names[k] : NULL, NULL }, m))
						return;
	}
}

static void quoted(struct buf *out, const char *before, const char *s)
{
	buf_adds(out, before);
	buf_addc(out, '[');
	json_put_string(out, s, strlen(s), 0);
	buf_addc(out, ']');
}

static void row_text(struct missing *m, size_t i, struct buf *out)
{
	const struct atom *x = &m->rows[i].atom;
	buf_addc(out, '{');
	if (x->url) {
		quoted(out, "NonResourceURLs:", x->url);
	} else {
		quoted(out, "APIGroups:", x->group);
		quoted(out, ", Resources:", x->resource);
		if (x->name)
			quoted(out, ", ResourceNames:", x->name);
	}
	buf_adds(out, ", Verbs:[");
	for (size_t k = 0; k < m->rows[i].verbs.n; k++) {
		buf_adds(out, k ? " " : "");
		json_put_string(out, m->rows[i].verbs.v[k], strlen(m->rows[i].verbs.v[k]), 0);
	}
	buf_adds(out, "]}");
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void write_missing(struct missing *m, struct buf *out)
{
	char *lines[MISSING_MAX];
	size_t n = 0;
	for (size_t i = 0; i < m->n; i++) {
		AUTO(buf) struct buf line = BUF_INIT(65536);
		row_text(m, i, &line);
		if ((lines[n] = buf_take(&line)))
			n++;
	}
	qsort(lines, n, sizeof *lines, by_text);
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%s%s", i ? "\n" : "", lines[i]);
		free(lines[i]);
	}
}

static bool has_null(const struct kube_policy_rule *r)
{
	for (uint32_t i = 0; i < r->n_verbs; i++)
		if (!r->verbs[i])
			return true;
	for (uint32_t i = 0; i < r->n_api_groups; i++)
		if (!r->api_groups[i])
			return true;
	for (uint32_t i = 0; i < r->n_resources; i++)
		if (!r->resources[i])
			return true;
	for (uint32_t i = 0; i < r->n_non_resource_urls; i++)
		if (!r->non_resource_urls[i])
			return true;
	return false;
}

bool kube_rules_cover(const struct kube_rules *owner, const struct kube_policy_rule *wanted, size_t n, struct buf *missing)
{
	struct missing *m = calloc(1, sizeof *m);
	bool any;
	if (!m)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (has_null(&wanted[i]))
			m->any = true;
		else
			try_rule(owner, &wanted[i], m);
	}
	if (m->any && missing)
		write_missing(m, missing);
	any = m->any;
	for (size_t i = 0; i < m->n; i++)
		vec_release(&m->rows[i].verbs);
	free(m);
	return !any;
}
