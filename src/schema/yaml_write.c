/* SPDX-License-Identifier: Apache-2.0 */
/* Trees -> YAML, on libyaml's emitter, in the form that kubectl prints. */
#include <yaml.h>

#include "base/auto.h"
#include "schema/tree_int.h"
#include "schema/yaml_int.h"

struct writer {
	yaml_emitter_t em;
	struct buf *out;
	unsigned flags;
};

static int take(void *data, unsigned char *p, size_t n)
{
	return buf_add(data, p, n) == 0;
}

static bool emit(struct writer *w, yaml_event_t *ev, int made)
{
	return made && yaml_emitter_emit(&w->em, ev);
}

static bool scalar(struct writer *w, const char *s, size_t n, bool is_text)
{
	yaml_event_t ev;
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
	struct slice text = slice_n(s, n);
	if (is_text && n && memchr(s, '\n', n))
		style = YAML_LITERAL_SCALAR_STYLE;
	else if (is_text && (yaml_resolve(text) != YAML_TEXT || yaml_is_base60(text) || slice_is(text, "<<")))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return emit(w, &ev, yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)s, (int)n, 1, 1, style));
}

static bool value(struct writer *w, const struct tree *v);

static bool map(struct writer *w, const struct tree *v)
{
	yaml_event_t ev;
	if (!emit(w, &ev, yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)))
		return false;
	uint32_t fixed[64], *order = NULL;
	if (w->flags & SCHEMA_SORTED && !(order = members_sort(v, fixed, ARRAY_LEN(fixed))))
		return false;
	bool ok = true;
	for (uint32_t i = 0; ok && i < v->n; i++) {
		const struct tree_member *m = &v->members[order ? order[i] : i];
		ok = scalar(w, m->key, m->key_len, true) && value(w, &m->value);
	}
	if (order != fixed)
		free(order);
	return ok && emit(w, &ev, yaml_mapping_end_event_initialize(&ev));
}

static bool list(struct writer *w, const struct tree *v)
{
	yaml_event_t ev;
	if (!emit(w, &ev, yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE)))
		return false;
	for (uint32_t i = 0; i < v->n; i++)
		if (!value(w, &v->items[i]))
			return false;
	return emit(w, &ev, yaml_sequence_end_event_initialize(&ev));
}

static bool value(struct writer *w, const struct tree *v)
{
	switch (v->type) {
	case TREE_NULL: return scalar(w, "null", 4, false);
	case TREE_BOOL: return scalar(w, v->is_true ? "true" : "false", v->is_true ? 4 : 5, false);
	case TREE_NUMBER: return scalar(w, v->text, v->n, false);
	case TREE_STRING: return scalar(w, v->text, v->n, true);
	case TREE_LIST: return list(w, v);
	default: return map(w, v);
	}
}

int tree_to_yaml(const struct tree *v, unsigned flags, struct buf *out)
{
	struct writer w = { .out = out, .flags = flags };
	yaml_event_t ev;
	if (!yaml_emitter_initialize(&w.em))
		return out->error = -ENOMEM;
	yaml_emitter_set_output(&w.em, take, out);
	yaml_emitter_set_unicode(&w.em, 1);
	bool ok = emit(&w, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING)) &&
		emit(&w, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1)) && value(&w, v) &&
		emit(&w, &ev, yaml_document_end_event_initialize(&ev, 1)) && emit(&w, &ev, yaml_stream_end_event_initialize(&ev));
	/* what is left is memory or text that is not UTF-8 */
	if (!ok && !out->error)
		out->error = w.em.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	yaml_emitter_delete(&w.em);
	return buf_error(out);
}
