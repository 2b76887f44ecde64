/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of custom resources. No C library keeps RE2's promise of linear time
 * (PCRE2's automaton counts repetitions and is cubic for `^([a-z]+-?)*$`), so
 * this is a simulation of all states at once: a text of n characters and a
 * program of m instructions cost n times m steps and no more.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/assert.h"
#include "schema/crd_regex_int.h"
#include "schema/schema_int.h"

/* --- nodes to instructions --- */

static uint32_t emit(struct crd_pattern *p, uint8_t op)
{
	if (!p->room) {
		uint32_t more = MAX(p->n, 32u);
		struct regex_inst *v = p->n >= REGEX_MAX_PROGRAM ? NULL : arena_array(&p->arena, (size_t)p->n + more, sizeof *v);
		if (!v)
			return UINT32_MAX;
		if (p->n)
			memcpy(v, p->program, p->n * sizeof *v);
		p->program = v;
		p->room = more;
	}
	p->room--;
	p->program[p->n] = (struct regex_inst){ .op = op };
	return p->n++;
}

static int compile(struct crd_pattern *p, const struct regex_node *v);

/* x? as `split L, out; L: x`, optional ones one in another. */
static int compile_repeat(struct crd_pattern *p, const struct regex_node *v)
{
	int r = 0;
	for (int i = 0; r == 0 && i < v->min; i++) {
		uint32_t before = p->n;
		r = compile(p, v->left);
		if (p->n == before)
			break;      /* nothing, and nothing again */
	}
	if (r < 0)
		return r;
	if (v->max < 0) {
		uint32_t split = emit(p, RE_SPLIT);
		r = split == UINT32_MAX ? -E2BIG : compile(p, v->left);
		uint32_t jump = r < 0 ? UINT32_MAX : emit(p, RE_JUMP);
		if (jump == UINT32_MAX)
			return -E2BIG;
		p->program[jump].a = split;
		p->program[split].a = split + 1;
		p->program[split].b = p->n;
		return 0;
	}
	uint32_t first = p->n;
	for (int i = v->min; r == 0 && i < v->max; i++) {
		uint32_t split = emit(p, RE_SPLIT);
		if (split == UINT32_MAX)
			return -E2BIG;
		p->program[split].a = split + 1;
		p->program[split].b = UINT32_MAX;
		r = compile(p, v->left);
	}
	for (uint32_t i = first; i < p->n; i++)
		if (p->program[i].op == RE_SPLIT && p->program[i].b == UINT32_MAX)
			p->program[i].b = p->n;
	return r;
}

/* The parts of a chain, which leans left and may be long. */
static int parts(struct crd_pattern *p, const struct regex_node *v, const struct regex_node ***ret, uint32_t *ret_n)
{
	uint32_t n = 1;
	for (const struct regex_node *x = v; x->kind == v->kind; x = x->left)
		n++;
	const struct regex_node **list = arena_array(&p->arena, n, sizeof *list);
	if (!list)
		return -E2BIG;
	uint8_t kind = v->kind;
	for (uint32_t i = n; i-- > 1; v = v->left)
		list[i] = v->right;
	list[0] = v;
	must(v->kind != kind);
	*ret = list;
	*ret_n = n;
	return 0;
}

static int compile_alt(struct crd_pattern *p, const struct regex_node *v)
{
	const struct regex_node **list;
	uint32_t n, *jump;
	int r = parts(p, v, &list, &n);
	if (r < 0 || !(jump = arena_array(&p->arena, n, sizeof *jump)))
		return -E2BIG;
	for (uint32_t i = 0; i + 1 < n; i++) {
		uint32_t split = emit(p, RE_SPLIT);
		if (split == UINT32_MAX || compile(p, list[i]) < 0 || (jump[i] = emit(p, RE_JUMP)) == UINT32_MAX)
			return -E2BIG;
		p->program[split].a = split + 1;
		p->program[split].b = p->n;
	}
	r = compile(p, list[n - 1]);
	for (uint32_t i = 0; i + 1 < n; i++)
		p->program[jump[i]].a = p->n;
	return r;
}

static int compile_cat(struct crd_pattern *p, const struct regex_node *v)
{
	const struct regex_node **list;
	uint32_t n;
	int r = parts(p, v, &list, &n);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = compile(p, list[i]);
	return r;
}

static int compile(struct crd_pattern *p, const struct regex_node *v)
{
	switch (v->kind) {
	case RN_EMPTY: return 0;
	case RN_REPEAT: return compile_repeat(p, v);
	case RN_ALT: return compile_alt(p, v);
	case RN_CAT: return compile_cat(p, v);
	}
	uint32_t at = emit(p, v->kind == RN_CHAR ? RE_CHAR : v->kind == RN_CLASS ? RE_CLASS : v->op);
	if (at == UINT32_MAX)
		return -E2BIG;
	p->program[at].a = v->c;
	p->program[at].class = v->class;
	return 0;
}

int crd_pattern_new(const char *text, struct crd_pattern *next, struct crd_pattern **ret, struct err *e)
{
	struct regex_node *root;
	struct crd_pattern *p = calloc(1, sizeof *p);
	if (!p)
		return err_nomem(e);
	arena_init(&p->arena, 16 << 20);
	int r = strlen(text) > CRD_MAX_PATTERN ? err_set(e, EINVAL, "error parsing regexp: expression is too large") : regex_parse(p, text, &root, e);
	if (r == 0 && (compile(p, root) < 0 || emit(p, RE_MATCH) == UINT32_MAX))
		r = err_set(e, EINVAL, "error parsing regexp: expression is too large");
	if (r < 0) {
		crd_patterns_free(p);
		return r;
	}
	p->next = next;
	*ret = p;
	return 0;
}

void crd_patterns_free(struct crd_pattern *all)
{
	while (all) {
		struct crd_pattern *next = all->next;
		for (uint32_t i = 0; i < all->n_properties; i++)
			pcre2_code_free(all->properties[i]->code);
		arena_release(&all->arena);
		free(all);
		all = next;
	}
}

/* --- matching --- */

struct threads {
	uint32_t *dense, *sparse, n;
};
struct machine {
	const struct crd_pattern *p;
	struct threads now, next;
	uint32_t *stack;
	bool is_matched;
};

static bool has(const struct threads *t, uint32_t pc)
{
	return t->sparse[pc] < t->n && t->dense[t->sparse[pc]] == pc;
}

static bool is_word(uint32_t c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 0x80);
}

/* What lies before and behind the place; UINT32_MAX: nothing. */
static bool holds(uint8_t op, uint32_t before, uint32_t behind)
{
	switch (op) {
	case RE_BEGIN_TEXT: return before == UINT32_MAX;
	case RE_END_TEXT: return behind == UINT32_MAX;
	case RE_BEGIN_LINE: return before == UINT32_MAX || before == '\n';
	case RE_END_LINE: return behind == UINT32_MAX || behind == '\n';
	}
	return (is_word(before) != is_word(behind)) == (op == RE_WORD);
}

/* Adds a state and all that can be reached from it without a character. */
static void add(struct machine *m, struct threads *t, uint32_t from, uint32_t before, uint32_t behind)
{
	uint32_t n = 0;
	m->stack[n++] = from;
	while (n) {
		uint32_t pc = m->stack[--n];
		if (has(t, pc))
			continue;
		t->sparse[pc] = t->n;
		t->dense[t->n++] = pc;
		const struct regex_inst *i = &m->p->program[pc];
		if (i->op == RE_MATCH) {
			m->is_matched = true;
		} else if (i->op == RE_JUMP) {
			m->stack[n++] = i->a;
		} else if (i->op == RE_SPLIT) {
			m->stack[n++] = i->b;
			m->stack[n++] = i->a;
		} else if (i->op >= RE_BEGIN_TEXT && holds(i->op, before, behind)) {
			m->stack[n++] = pc + 1;
		}
	}
}

static bool in_class(const struct regex_class *c, uint32_t rune)
{
	bool is_in = false;
	for (uint32_t i = 0; i < c->n && !is_in; i++)
		is_in = rune >= c->range[i].lo && rune <= c->range[i].hi;
	for (const struct regex_property *p = c->property; p && !is_in; p = p->next)
		is_in = regex_has_property(p, rune);
	return is_in != c->is_negative;
}

static void run(struct machine *m, struct slice text)
{
	const char *p = text.len ? text.ptr : "", *end = p + text.len;
	uint32_t before = UINT32_MAX;
	unsigned n = 0;
	uint32_t c = p < end ? regex_rune(p, end, &n) : UINT32_MAX;
	for (;;) {
		add(m, &m->now, 0, before, c);
		if (m->is_matched || p >= end)
			return;
		p += n;
		uint32_t behind = p < end ? regex_rune(p, end, &n) : UINT32_MAX;
		m->next.n = 0;
		for (uint32_t i = 0; i < m->now.n && !m->is_matched; i++) {
			const struct regex_inst *x = &m->p->program[m->now.dense[i]];
			if ((x->op == RE_CHAR && x->a == c) || (x->op == RE_CLASS && in_class(x->class, c)))
				add(m, &m->next, m->now.dense[i] + 1, c, behind);
		}
		struct threads t = m->now;
		m->now = m->next;
		m->next = t;
		before = c;
		c = behind;
		if (m->is_matched)
			return;
	}
}

int crd_pattern_match(const struct crd_pattern *p, struct slice text)
{
	if ((uint64_t)text.len * p->n > REGEX_MAX_WORK)
		return -E2BIG;
	AUTO(free) uint32_t *memory = calloc(6 * (size_t)p->n + 8, sizeof *memory);
	if (!memory)
		return -ENOMEM;
	uint32_t n = p->n;
	struct machine m = { .p = p, .now = { memory, memory + n, 0 }, .next = { memory + 2 * n, memory + 3 * n, 0 }, .stack = memory + 4 * n };
	run(&m, text);
	return m.is_matched;
}
