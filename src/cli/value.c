/* SPDX-License-Identifier: Apache-2.0 */
/* Values of templates. See value.h. */
#include "cli/value.h"
#include <ctype.h>
#include <math.h>
#include "base/auto.h"

struct val val_tree(const struct tree *node)
{
	struct val v = { .kind = VAL_TREE, .node = node };

	if (!node)
		return (struct val){ .kind = VAL_NONE };
	switch (node->type) {
	case TREE_NULL:
		return (struct val){ .kind = VAL_NIL };
	case TREE_BOOL:
		return val_bool(node->is_true);
	case TREE_STRING:
		return val_slice(tree_text(node));
	case TREE_NUMBER:
		v.s = tree_text(node);
		v.kind = VAL_INT;
		if (memchr(v.s.ptr, '.', v.s.len) || memchr(v.s.ptr, 'e', v.s.len) || tree_i64(node, &v.i) < 0) {
			char text[64];
			fmt_into(text, sizeof text, "%.*s", SLICE_FMT(v.s));
			v.kind = VAL_FLOAT;
			v.f = strtod(text, NULL);
		}
		return v;
	default:
		return v;
	}
}

bool val_is_object(const struct val *v)
{
	return v->kind == VAL_TREE && v->node->type == TREE_MAP;
}

bool val_truth(const struct val *v)
{
	switch (v->kind) {
	case VAL_BOOL: return v->b;
	case VAL_INT: return v->i != 0;
	case VAL_FLOAT: return v->f != 0;
	case VAL_STR: return v->s.len != 0;
	case VAL_LIST: return v->i != 0;
	case VAL_TREE: return v->node->n != 0;
	case VAL_ROW: return true;
	default: return false;
	}
}

int64_t val_len(const struct val *v)
{
	if (v->kind == VAL_STR)
		return (int64_t)v->s.len;
	if (v->kind == VAL_LIST)
		return v->i;
	return v->kind == VAL_TREE ? (int64_t)v->node->n : -1;
}

/* A struct of Go's has keys like "HostIp"; a map's keys are anything. */
static bool looks_like_struct(const struct tree *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct tree_member *m = &t->members[i];
		if (!m->key_len || !isupper((unsigned char)m->key[0]))
			return false;
		for (size_t k = 0; k < m->key_len; k++)
			if (!isalnum((unsigned char)m->key[k]))
				return false;
	}
	return t->n > 0;
}

/* Fields that are lists or maps in Go, where null prints as an empty one. */
static struct val null_field(struct slice name)
{
	static const char *const lists[] = { "Entrypoint", "Cmd", "Env", "OnBuild", "Shell", "Args", "ExecIDs", "Binds", "CapAdd", "CapDrop", "Dns",
		"DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Links", "SecurityOpt", "Devices", "DeviceCgroupRules", "DeviceRequests",
		"Ulimits", "VolumesFrom", "Mounts", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps",
		"BlkioDeviceWriteIOps", "SecondaryIPAddresses", "SecondaryIPv6Addresses", "Aliases", "RepoTags", "RepoDigests", "DNSNames",
		"MaskedPaths", "ReadonlyPaths", "Warnings" };
	static const char *const maps[] = { "Labels", "Volumes", "ExposedPorts", "PortBindings", "Ports", "Networks", "Options", "DriverOpts",
		"Sysctls", "StorageOpt", "Tmpfs", "Annotations", "Data" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (slice_is(name, lists[i]))
			return (struct val){ .kind = VAL_LIST };
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (slice_is(name, maps[i]))
			return (struct val){ .kind = VAL_LIST, .b = true };
	return (struct val){ .kind = VAL_NIL };
}

static bool found(const struct tree *node, struct slice name, struct val *ret)
{
	if (!node)
		return false;
	*ret = node->type == TREE_NULL ? null_field(name) : val_tree(node);
	return true;
}

bool val_field_get(const struct val *v, struct slice name, bool fold, struct val *ret)
{
	if (v->kind == VAL_ROW) {
		for (size_t i = 0; i < v->row->n; i++) {
			const struct val_field *f = &v->row->fields[i];
			if (!slice_is(name, f->name))
				continue;
			*ret = v->row->headings ? val_str(f->heading) : f->v;
			return true;
		}
		return false;
	}
	if (!val_is_object(v))
		return false;
	if (found(tree_get(v->node, name), name, ret))
		return true;
	for (uint32_t i = 0; fold && looks_like_struct(v->node) && i < v->node->n; i++) {
		const struct tree_member *m = &v->node->members[i];
		if (slice_eq_nocase(slice_n(m->key, m->key_len), name))
			return found(&m->value, slice_n(m->key, m->key_len), ret);
	}
	return false;
}

/* The i-th member by key order: lists of some hundred members at most, so counting is enough. */
static const struct tree_member *member_sorted(const struct tree *t, int64_t i)
{
	for (uint32_t k = 0; k < t->n; k++) {
		int64_t before = 0;
		struct slice key = slice_n(t->members[k].key, t->members[k].key_len);
		for (uint32_t j = 0; j < t->n; j++)
			before += slice_cmp(slice_n(t->members[j].key, t->members[j].key_len), key) < 0;
		if (before == i)
			return &t->members[k];
	}
	return NULL;
}

bool val_at(const struct val *v, int64_t i, struct val *ret_key, struct val *ret)
{
	if (i < 0 || i >= val_len(v) || v->kind == VAL_STR)
		return false;
	*ret_key = val_int(i);
	if (v->kind == VAL_LIST) {
		*ret = v->list[i];
		return true;
	}
	if (v->node->type == TREE_LIST) {
		*ret = val_tree(&v->node->items[i]);
		return true;
	}
	const struct tree_member *m = member_sorted(v->node, i);
	if (!m)
		return false;
	*ret_key = val_slice(slice_n(m->key, m->key_len));
	*ret = val_tree(&m->value);
	return true;
}

static void print_inner(const struct val *v, struct buf *out)
{
	if (v->kind == VAL_NIL || v->kind == VAL_NONE)
		buf_adds(out, "<nil>");
	else
		val_print(v, out);
}

static void print_members(const struct val *v, struct buf *out)
{
	const struct tree *t = v->node;
	struct val key, item;

	if (t->type == TREE_MAP && looks_like_struct(t)) {
		buf_addc(out, '{');
		for (uint32_t i = 0; i < t->n; i++) {
			if (i)
				buf_addc(out, ' ');
			if (!found(&t->members[i].value, slice_n(t->members[i].key, t->members[i].key_len), &item))
				continue;
			print_inner(&item, out);
		}
		buf_addc(out, '}');
		return;
	}
	buf_adds(out, t->type == TREE_MAP ? "map[" : "[");
	for (uint32_t i = 0; i < t->n; i++) {
		if (i)
			buf_addc(out, ' ');
		val_at(v, i, &key, &item);
		if (t->type == TREE_MAP) {
			val_print(&key, out);
			buf_addc(out, ':');
		}
		print_inner(&item, out);
	}
	buf_addc(out, ']');
}

void val_print(const struct val *v, struct buf *out)
{
	char text[64];

	switch (v->kind) {
	case VAL_NONE:
		buf_adds(out, "<no value>");
		return;
	case VAL_NIL:
		buf_adds(out, "<nil>");
		return;
	case VAL_BOOL:
		buf_adds(out, v->b ? "true" : "false");
		return;
	case VAL_INT:
		buf_addf(out, "%lld", (long long)v->i);
		return;
	case VAL_FLOAT:
		if (v->s.len)
			buf_addslice(out, v->s);
		else {
			fmt_into(text, sizeof text, "%.17g", v->f);
			for (int p = 1; p < 17; p++) {
				fmt_into(text, sizeof text, "%.*g", p, v->f);
				if (strtod(text, NULL) == v->f)
					break;
			}
			buf_adds(out, text);
		}
		return;
	case VAL_STR:
		buf_addslice(out, v->s);
		return;
	case VAL_LIST:
		buf_adds(out, v->b ? "map[" : "[");
		for (int64_t i = 0; i < v->i; i++) {
			if (i)
				buf_addc(out, ' ');
			print_inner(&v->list[i], out);
		}
		buf_addc(out, ']');
		return;
	case VAL_TREE:
		print_members(v, out);
		return;
	case VAL_ROW:
		val_json(v, out);
		return;
	}
}

static void row_json(const struct val_row *row, struct buf *out)
{
	struct slice last = { 0 };
	const char *sep = "";

	buf_addc(out, '{');
	for (size_t n = 0; n < row->n; n++) {
		/* fields by name; names differ */
		const struct val_field *next = NULL;
		for (size_t i = 0; i < row->n; i++) {
			struct slice name = slice_of(row->fields[i].name);
			if (last.ptr && slice_cmp(name, last) <= 0)
				continue;
			if (!next || slice_cmp(name, slice_of(next->name)) < 0)
				next = &row->fields[i];
		}
		if (!next)
			break;
		last = slice_of(next->name);
		buf_addf(out, "%s\"%s\":", sep, next->name);
		if (next->v.kind == VAL_STR) {
			struct tree text = tree_string(next->v.s);
			tree_to_json(&text, SCHEMA_ESCAPE_HTML, out);
		} else {
			val_json(&next->v, out);
		}
		sep = ",";
	}
	buf_addc(out, '}');
}

void val_json(const struct val *v, struct buf *out)
{
	struct tree t;

	switch (v->kind) {
	case VAL_STR:
		t = tree_string(v->s);
		tree_to_json(&t, 0, out);
		return;
	case VAL_TREE:
		tree_to_json(v->node, 0, out);
		return;
	case VAL_ROW:
		row_json(v->row, out);
		return;
	case VAL_LIST:
		if (!v->list) {
			buf_adds(out, "null");
			return;
		}
		buf_addc(out, '[');
		for (int64_t i = 0; i < v->i; i++) {
			if (i)
				buf_addc(out, ',');
			val_json(&v->list[i], out);
		}
		buf_addc(out, ']');
		return;
	case VAL_NONE:
	case VAL_NIL:
		buf_adds(out, "null");
		return;
	default:
		val_print(v, out);
	}
}

const char *val_kind_name(const struct val *v)
{
	switch (v->kind) {
	case VAL_BOOL: return "bool";
	case VAL_INT: return "int";
	case VAL_FLOAT: return "float64";
	case VAL_STR: return "string";
	case VAL_LIST: return v->b ? "map[string]string" : "[]string";
	case VAL_TREE: return v->node->type == TREE_MAP ? "map[string]interface {}" : "[]interface {}";
	case VAL_ROW: return "*formatter.SubContext";
	default: return "<nil>";
	}
}
