// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"regexp"
	"strings"
)

func regex(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "c", ".", "[ab]", "[^a]", `\d`, `\w`, `\s`, "^", "$", `\b`, `\B`, "[a-c-]", "[[:alpha:]]", "[^[:^digit:]]", `\pL`, `\p{Greek}`, `\PN`,
		"ä", `\.`, "-", `\x61`, "[]b]", "(?i:A)", "(?i)B", "(?s).", "(?m)^", "(?m)$", `\z`, `\A`, "[\\d_]", "[ä-ü]", "{", "}", ",", "]", `\Qa.\E`, "(?:)", "()", "α"}
	if r.Intn(12) == 0 {
		atoms = []string{"(?=a)", `\1`, "a**", "[", "(", ")", "*", "a{3,1}", "a{1001}", `\K`, "[b-a]", "(?P<n>a)", "(?<n>a)", "(?P<>a)", "(?x)", `\8`, "[[:nope:]]", "a++", "(?-i)", "(?i-s:a)", "(?i-)", `\C`, "{1}", "|*", "a|*", "(*a)", `\p{Nope}`}
	}
	s := pick(r, atoms...)
	if depth > 0 {
		switch r.Intn(5) {
		case 0:
			s = "(" + regex(r, depth-1) + ")"
		case 1:
			s = regex(r, depth-1) + "|" + regex(r, depth-1)
		case 2, 3:
			s = regex(r, depth-1) + regex(r, depth-1)
		}
	}
	if r.Intn(4) == 0 {
		s += pick(r, "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "{2,3}?", "{,2}", "{a}")
	}
	return s
}

func regexes(r *rand.Rand) object {
	text := regex(r, 4)
	re, err := regexp.Compile(text)
	out := object{"pattern": text, "error": textOf(err)}
	if err != nil {
		return out
	}
	cases := list{}
	for range 8 {
		var b strings.Builder
		for range r.Intn(8) {
			b.WriteString(pick(r, "a", "b", "c", "A", "1", "_", "-", " ", "\n", "ä", "Ä", "α", ".", "{", "]", "2"))
		}
		cases = append(cases, list{b.String(), re.MatchString(b.String())})
	}
	out["cases"] = cases
	return out
}
