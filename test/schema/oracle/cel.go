// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"math"
	"math/rand"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const celSchema = `{"type":"object","properties":{"n":{"type":"integer"},"d":{"type":"number"},"s":{"type":"string"},"t":{"type":"boolean"},
"l":{"type":"array","items":{"type":"integer"}},"names":{"type":"array","items":{"type":"string"}},"set":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
"m":{"type":"object","additionalProperties":{"type":"string"}},"o":{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"x-y":{"type":"string"}}},
"p":{"x-kubernetes-int-or-string":true},"when":{"type":"string","format":"date-time"},"for":{"type":"string","format":"duration"},
"rules":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"port":{"type":"integer"}}}}}}`

var celRules = []string{
	"self.n > 2", "self.n + 1 == 3", "self.n / 2 == 1", "self.n % 2 == 0", "self.n / 0 == 1", "self.d > 1.2", "self.d * 2.0 >= 3.0", "self.d == 1", "self.n < 2.5",
	"self.s == 'hello'", "self.s.startsWith('he')", "self.s.endsWith('o')", "self.s.contains('l')", "self.s.matches('^[a-z]+$')", "size(self.s) < 4",
	"self.s.lowerAscii() == 'abc'", "self.s.upperAscii() == 'ABC'", "self.s.substring(1) == 'ello'", "self.s.indexOf('l') == 2", "self.s.lastIndexOf('l') == 3",
	"self.s.replace('l', 'L') == 'heLLo'", "self.s.replace('l', 'L', 1) == 'heLlo'", "self.s.split('l').size() == 3", "self.s.split('l', 2)[1] == 'lo'",
	"self.s.charAt(0) == 'h'", "self.s.trim() == self.s", "self.s < 'i'", "self.s + 'x' == 'hellox'", "string(self.n) == '2'", "int(self.s) == 1", "double(self.n) == 2.0",
	"string(self.d) == '1.5'", "self.t", "!self.t", "self.t || self.n > 100", "self.t && self.n > 0", "self.t ? self.n > 0 : self.n < 0", "self.t == true",
	"self.l.all(x, x > 0)", "self.l.exists(x, x == 2)", "self.l.exists_one(x, x == 2)", "self.l.map(x, x * 2).size() == 3", "self.l.filter(x, x > 1).size() > 0",
	"self.l.map(x, x > 1, x).sum() > 2", "self.l[0] == 1", "self.l[10] == 1", "2 in self.l", "self.l == [1, 2, 3]", "self.l.isSorted()", "self.l.sum() == 6",
	"self.l.min() == 1", "self.l.max() > 2", "self.l.indexOf(2) == 1", "size(self.l) == 3", "self.l + [4] == [1, 2, 3, 4]", "sets.contains(self.l, [1])",
	"sets.equivalent(self.l, [3, 2, 1])", "sets.intersects(self.l, [9, 1])", "self.names.join(',') == 'a,b'", "self.names.all(x, x.size() == 1)", "'a' in self.names",
	"self.set == ['b', 'a']", "self.set.size() == 2", "'k' in self.m", "self.m['k'] == 'v'", "self.m.all(k, k.size() < 3)", "self.m.exists(k, self.m[k] == 'v')",
	"self.m.size() == 1", "has(self.m.k)", "has(self.o)", "has(self.o.a) && self.o.a > 0", "self.o.a == 1", "self.o.b == 'x'", "has(self.o.x__dash__y)",
	"self.o.x__dash__y == 'z'", "self.?o.?a.orValue(7) == 7", "self.?m['k'].orValue('d') == 'd'", "self.o.?b.hasValue()", "type(self.p) == int", "self.p == 80",
	"self.p == 'http'", "type(self.p) == string ? self.p == 'http' : self.p > 10", "self.when > timestamp('2020-01-01T00:00:00Z')", "self.when.getFullYear() == 2021",
	"self.when.getMonth() == 4 && self.when.getDate() == 6", "self.when.getDayOfWeek() > 2", "self.when.getDayOfYear() == 125", "self.__for__ > duration('1m')",
	"self.__for__.getSeconds() == 90", "self.rules.all(r, r.port > 10)", "self.rules.exists(r, r.name == 'x')", "self.rules.map(r, r.name) == ['x', 'y']",
	"self.rules.filter(r, has(r.port)).size() == 1", "self.rules.all(r, self.rules.exists_one(q, q.name == r.name))", "self.nope == 1", "self.n > oldSelf.n",
	"self.n == oldSelf.n || self.t", "[1, 2].exists(x, x == self.n)", "{'a': self.n}['a'] == 2", "quantity('1Gi').isGreaterThan(quantity('1G'))",
	"quantity(self.s).isInteger()", "isQuantity(self.s)", "ip(self.s).family() == 4", "isIP(self.s)", "cidr('10.0.0.0/8').containsIP('10.0.0.1')",
	"cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')", "isURL(self.s)", "url('https://a.b:80/c').getHostname() == 'a.b'",
	"url('https://a.b:80/c').getEscapedPath() == '/c'", "self.l.all(x, x / (x - 2) > -100)", "self.l.exists(x, x / (x - 2) > 100)", "self.n > 9223372036854775806 + self.n",
	"dyn(self.n) == 'x'", "self.s.size() > self.n", "math.greatest(self.n, 5) == 5", "math.least(self.n, 5) == 2", "optional.of(self.n).value() == 2",
	"optional.none().orValue(self.n) == 2", "uint(self.n) == 2u", "bool('true') == self.t", "self.names.map(x, x + '!')[0] == 'a!'", "self.l.reverse() == [3, 2, 1]",
	"self.s.reverse() == 'olleh'", "'%' + self.s == '%hello'", "self.s.matches('(')", "self.n in [2, 3]", "!(self.n in self.l)", "-self.n == -2", "self.d - 0.5 == 1.0",
	"self.rules.exists(r, r.port == self.n)", "self.l.size() > 0 && self.l[self.l.size() - 1] == 3", "has(self.s) != has(self.n)", "self.m == {'k': 'v'}", "self.o == self.o",
	"self.rules == self.rules", "duration('1h') + duration('30m') == duration('90m')", "timestamp('2020-01-01T00:00:00Z') + duration('1h') < timestamp('2020-01-02T00:00:00Z')",
	"string(duration('90s')) == '90s'", "string(timestamp('2020-01-01T00:00:00Z')) == '2020-01-01T00:00:00Z'", "int(timestamp('2020-01-01T00:00:00Z')) == 1577836800",
}

func celDoc(r *rand.Rand) object {
	o := object{}
	maybe(r, o, "n", pick(r, 1, 2, 3, 5))
	maybe(r, o, "d", pick[any](r, 1, 1.5, 2.25))
	maybe(r, o, "s", pick(r, "hello", "abc", "", "12", "1.2.3.4", "https://x/y", "1Gi", "ä"))
	maybe(r, o, "t", pick(r, true, false))
	maybe(r, o, "l", pick(r, list{1, 2, 3}, list{}, list{3, 1}, list{2, 2}))
	maybe(r, o, "names", pick(r, list{"a", "b"}, list{"x"}, list{}))
	maybe(r, o, "set", pick(r, list{"a", "b"}, list{"b"}))
	maybe(r, o, "m", pick(r, object{"k": "v"}, object{}, object{"k": "w", "long": "x"}))
	maybe(r, o, "o", pick(r, object{"a": 1}, object{}, object{"b": "x", "x-y": "z"}))
	maybe(r, o, "p", pick[any](r, 80, "http"))
	maybe(r, o, "when", pick(r, "2021-05-06T07:08:09Z", "2019-01-01T00:00:00Z"))
	maybe(r, o, "for", pick(r, "90s", "1h"))
	maybe(r, o, "rules", pick(r, list{object{"name": "x", "port": 80}, object{"name": "y"}}, list{object{"name": "z", "port": 1}}, list{}))
	return o
}

func celCase(r *rand.Rand) object {
	rule := celRules[r.Intn(len(celRules))]
	var schema object
	if err := json.Unmarshal([]byte(celSchema), &schema); err != nil {
		panic(err)
	}
	schema["x-kubernetes-validations"] = list{object{"rule": rule}}
	full := bytesOf(object{"type": "object", "properties": object{"spec": schema}})
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(full, &v1); err != nil {
		panic(err)
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &internal, nil); err != nil {
		panic(err)
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		panic(err)
	}
	v := cel.NewValidator(structural, true, math.MaxInt64)
	docs := list{}
	for range 6 {
		now, old := bytesOf(object{"spec": celDoc(r)}), bytesOf(object{"spec": celDoc(r)})
		var a, b object
		if utiljson.Unmarshal(now, &a) != nil || utiljson.Unmarshal(old, &b) != nil {
			panic("json")
		}
		problems, _ := v.Validate(context.Background(), nil, structural, a, b, math.MaxInt64)
		docs = append(docs, object{"doc": raw(now), "old": raw(old), "problems": errorsOf(problems)})
	}
	return object{"schema": raw(full), "rule": rule, "docs": docs}
}
