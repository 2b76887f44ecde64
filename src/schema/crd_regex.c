/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns: the syntax is Go's (RE2), the engine PCRE2's breadth-first matcher,
 * which visits each character once for all states together and so has no bad
 * cases: the pattern is anchored behind a lazy ".*", so that there is one pass.
 * What PCRE2 knows and Go does not is refused first.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "schema/crd_int.h"
#include "schema/schema_int.h"

struct crd_pattern {
	pcre2_code *code;
	struct crd_pattern *next;
};

static int refuse(struct err *e, const char *what, const char *at, int n)
{
	return err_set(e, EINVAL, "error parsing regexp: %s: `%.*s`", what, n, at);
}

/* Behind "(?": flags, a group without number, or a name. */
static int check_group(const char *s, struct err *e)
{
	if (*s == ':')
		return 0;
	if ((s[0] == 'P' && s[1] == '<') || (s[0] == '<' && s[1] != '=' && s[1] != '!'))
		return 0;
	size_t n = strspn(s, "imsU-");
	if (n && (s[n] == ')' || s[n] == ':'))
		return 0;
	return refuse(e, "invalid or unsupported Perl syntax", s - 2, 3);
}

static int check_escape(const char *s, bool in_class, struct err *e)
{
	static const char both[] = "dDsSwWpPafnrtvxQE", outside[] = "AzbB";
	if (!s[1])
		return refuse(e, "trailing backslash at end of expression", "", 0);
	if ((s[1] >= 'a' && s[1] <= 'z') || (s[1] >= 'A' && s[1] <= 'Z') || (s[1] >= '1' && s[1] <= '9'))
		if (!strchr(both, s[1]) && (in_class || !strchr(outside, s[1])))
			return refuse(e, "invalid escape sequence", s, 2);
	return 0;
}

/* What Go does not have: look-around, back references, possessive and nested repetition, recursion, verbs. */
static int check_syntax(const char *text, struct err *e)
{
	bool in_class = false, was_repeat = false;
	for (const char *s = text; *s; s++) {
		bool is_repeat = false;
		int r = 0;
		if (*s == '\\') {
			r = check_escape(s, in_class, e);
			s++;
		} else if (in_class) {
			in_class = *s != ']';
			if (s[0] == '[' && s[1] == ':') {
				const char *end = strstr(s, ":]");
				s = end ? end + 1 : s;
			}
		} else if (*s == '[') {
			in_class = true;
			s += s[1] == '^';
			s += s[1] == ']';      /* a bracket that comes first stands for itself */
		} else if (s[0] == '(' && s[1] == '?') {
			r = check_group(s + 2, e);
			s++;                   /* its '?' repeats nothing */
		} else if (s[0] == '(' && s[1] == '*') {
			r = refuse(e, "missing argument to repetition operator", "*", 1);
		} else if (strchr("*+?", *s)) {
			is_repeat = true;
		} else if (*s == '{') {
			size_t n = strspn(s + 1, "0123456789,");
			is_repeat = n && s[n + 1] == '}' && s[1] != ',';
			s += is_repeat ? n + 1 : 0;
		}
		if (r == 0 && is_repeat && was_repeat)
			r = refuse(e, "invalid nested repetition operator", s - 1, 2);
		if (r < 0)
			return r;
		/* one '?' behind a repetition makes it lazy */
		if (is_repeat && s[1] == '?')
			s++;
		was_repeat = is_repeat;
	}
	return 0;
}

int crd_pattern_new(const char *text, struct crd_pattern *next, struct crd_pattern **ret, struct err *e)
{
	if (strlen(text) > CRD_MAX_PATTERN)
		return err_set(e, EINVAL, "error parsing regexp: expression is too large");
	int r = check_syntax(text, e), why;
	if (r < 0)
		return r;
	/* alone first, so that "a)|(b" is refused and errors speak of the pattern */
	size_t where;
	pcre2_code *alone = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &why, &where, NULL);
	if (!alone) {
		PCRE2_UCHAR message[256];
		pcre2_get_error_message(why, message, sizeof message);
		return refuse(e, (const char *)message, text + MIN(where, strlen(text)), 40);
	}
	pcre2_code_free(alone);
	AUTO(free) char *full = fmt_new("(?s:.*?)(?:%s)", text);
	struct crd_pattern *p = calloc(1, sizeof *p);
	if (p && full)
		p->code = pcre2_compile((PCRE2_SPTR)full, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE,
			&why, &where, NULL);
	if (!p || !p->code) {
		free(p);
		return full ? err_set(e, EINVAL, "error parsing regexp: expression is too large") : err_nomem(e);
	}
	p->next = next;
	*ret = p;
	return 0;
}

void crd_patterns_free(struct crd_pattern *all)
{
	while (all) {
		struct crd_pattern *next = all->next;
		pcre2_code_free(all->code);
		free(all);
		all = next;
	}
}

int crd_pattern_match(const struct crd_pattern *p, struct slice text)
{
	pcre2_match_data *m = pcre2_match_data_create(4, NULL);
	int r = PCRE2_ERROR_DFA_WSSIZE;
	if (!m)
		return -ENOMEM;
	if (text.len > CRD_MAX_SUBJECT) {
		pcre2_match_data_free(m);
		return -E2BIG;
	}
	for (size_t n = 2000; r == PCRE2_ERROR_DFA_WSSIZE && n <= 2000u << 10; n *= 8) {
		AUTO(free) int *work = calloc(n, sizeof *work);
		if (!work) {
			pcre2_match_data_free(m);
			return -ENOMEM;
		}
		r = pcre2_dfa_match(p->code, (PCRE2_SPTR)(text.len ? text.ptr : ""), text.len, 0, PCRE2_DFA_SHORTEST, m, NULL, work, n);
	}
	pcre2_match_data_free(m);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}
