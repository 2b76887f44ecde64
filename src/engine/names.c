/* SPDX-License-Identifier: Apache-2.0 */
/* Names of containers: the check, and random ones (our own words) for those who give none. */
#include <errno.h>
#include <ctype.h>

#include "base/num.h"
#include "base/rand.h"
#include "engine/engine_int.h"

static const char *const moods[] = {
	"able", "agile", "amber", "ample", "apt", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "cheery", "civil", "clear",
	"clever", "cosy", "crisp", "curious", "dapper", "daring", "deft", "eager", "easy", "elated", "fair", "fond", "frank", "free", "fresh",
	"gentle", "glad", "golden", "grand", "handy", "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "loyal", "lucid",
	"lucky", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "open", "patient", "placid", "plucky", "polite", "proud",
	"quick", "quiet", "ready", "robust", "rosy", "sage", "serene", "sharp", "shiny", "silent", "sincere", "sleek", "smart", "snug", "solid",
	"spry", "stable", "steady", "stoic", "sturdy", "subtle", "sunny", "swift", "tender", "tidy", "tranquil", "trusty", "upbeat", "vivid",
	"warm", "wise", "witty", "zesty",
};
static const char *const people[] = {
	"abel", "ampere", "archimedes", "avogadro", "babbage", "banach", "bardeen", "bell", "bohr", "boole", "born", "boyle", "brahe",
	"cantor", "carson", "cauchy", "chandra", "church", "codd", "copernicus", "coulomb", "curie", "dalton", "darwin", "descartes", "dijkstra",
	"dirac", "einstein", "erdos", "euclid", "euler", "faraday", "fermat", "fermi", "feynman", "fourier", "franklin", "galileo", "galois",
	"gauss", "germain", "goedel", "goodall", "hamilton", "hawking", "heisenberg", "hertz", "hilbert", "hoare", "hopper", "hubble", "huygens",
	"hypatia", "jacobi", "joule", "kepler", "khayyam", "knuth", "kovalevskaya", "lagrange", "lamarr", "laplace", "leavitt", "leibniz",
	"liskov", "lovelace", "maxwell", "meitner", "mendel", "mirzakhani", "morse", "napier", "nash", "newton", "nightingale", "noether", "ohm",
	"pascal", "pasteur", "pauli", "payne", "planck", "poincare", "ramanujan", "riemann", "ritchie", "rubin", "rutherford", "sagan",
	"shannon", "somerville", "stokes", "tesla", "thompson", "torvalds", "turing", "volta", "watt", "wiles", "wu", "yonath", "zuse",
};

int name_check(const char *name, struct err *e)
{
	const char *s = *name == '/' ? name + 1 : name;
	bool ok = isalnum((unsigned char)*s) && s[1];
	size_t n = 0;
	for (; ok && s[n]; n++)
		ok = isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '.' || s[n] == '-';
	if (!ok || n > 4096)
		return err_set(e, EINVAL, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
	return 0;
}

int name_random(struct engine *eng, char *dst, size_t size)
{
	for (int i = 0; i < 20; i++) {
		const char *m = moods[rand_u64() % ARRAY_LEN(moods)], *p = people[rand_u64() % ARRAY_LEN(people)];
		if (i < 6)
			fmt_into(dst, size, "%s_%s", m, p);
		else
			fmt_into(dst, size, "%s_%s%u", m, p, (unsigned)(rand_u64() % (i < 12 ? 10 : 100000)));
		if (!map_gets(&eng->by_name, dst))
			return 0;
	}
	char hex[13];
	rand_hex(hex, 6);
	fmt_into(dst, size, "%s_%s", moods[0], hex);
	return 0;
}
