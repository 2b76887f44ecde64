// SPDX-License-Identifier: Apache-2.0

package main

// Not in here, because ours does better: numbers of which one is whole and one is not are compared; a range without an
// end ends with the template and is not followed by its inside once more; numbers are printed in JSON as they came.

import (
	"bytes"
	"encoding/json"
	"math/rand"

	"k8s.io/client-go/util/jsonpath"
)

const pods = `{"kind":"List","items":[
{"kind":"Pod","metadata":{"name":"a","labels":{"app":"x","app.kubernetes.io/name":"n"}},"spec":{"containers":[{"name":"c1","image":"i1","ports":[{"p":80},{"p":443}]},{"name":"c2","image":"i2"}]},"status":{"phase":"Running","ready":true,"n":1}},
{"kind":"Pod","metadata":{"name":"b","labels":{"app":"y"}},"spec":{"containers":[{"name":"d1","image":"i3","ports":[]}]},"status":{"phase":"Pending","ready":false,"n":2,"message":"<a> & b"}},
{"kind":"Node","metadata":{"name":"c"},"spec":{"nothing":null},"status":{"n":3}}],
"one":{"only":{"deep":[1,2,3,4,5]}},"s":"text","big":1234567890123456789,"f":1.5,"g":-0.25,"t":true,"nul":null,"empty":[],"em":{}}`

var templates = []string{
	"plain", "{}", "{.kind}", "{$.kind}", "{@.kind}", "{ .kind }", "kind={.kind}!", "{.items[0].metadata.name}", "{.items[*].metadata.name}",
	"{.items[-1].metadata.name}", "{.items[0:2].metadata.name}", "{.items[1:].metadata.name}", "{.items[:1].metadata.name}",
	"{.items[::2].metadata.name}", "{.items[-2:].metadata.name}", "{.items[0:-1].metadata.name}", "{.items[5]}", "{.items[0:9].kind}",
	"{.items[2:1].kind}", "{.items[0,2].metadata.name}", "{.items[*]['kind']}", "{.items[*]['kind', 'metadata.name']}",
	"{.items[0]['metadata.name','status.phase']}", `{.items[0].metadata.labels.app\.kubernetes\.io/name}`,
	`{.items[0].metadata.labels['app\.kubernetes\.io/name']}`, "{.items[0].metadata.labels['app']}", "{range .items[*]}{.metadata.name}{\"\\n\"}{end}",
	"{range .items[*]}[{.metadata.name},{.status.n}] {end}", "{range .items[*]}{range .spec.containers[*]}{.name}={.image};{end}{end}",
	"{range .items[0:2]}{.metadata.name}:{range .spec.containers[*]}{.name},{end}|{end}done", "{range .empty[*]}{.x}{end}after", "{end}",
	"{.items[?(@.kind==\"Pod\")].metadata.name}", "{.items[?(@.kind=='Node')].metadata.name}", "{.items[?(@.kind!='Pod')].metadata.name}",
	"{.items[?(@.status.n>1)].metadata.name}", "{.items[?(@.status.n>=3)].metadata.name}", "{.items[?(@.status.n<3)].metadata.name}",
	"{.items[?(@.status.n==1)].metadata.name}", "{.items[?(@.status.ready==true)].metadata.name}", "{.items[?(@.metadata.labels)].metadata.name}",
	"{.items[?(@.metadata.labels.app=='y')].metadata.name}", "{.items[*].spec.containers[?(@.name=='c2')].image}",
	"{.items[?(@.status.phase=='Running')]['metadata.name']}", "{.items[0].metadata}", "{.items[0].spec.containers}", "{.one..deep}", "{.one.only..}",
	"{..containers[*].name}", "{.items[0]..ports[*].p}", "{..image}", "{.one.only.deep[*]}", "{.one.only.deep[0:5:2]}", "{.one.only.deep[1:4:2]}",
	"{.one.*}", "{.one.only.*}", "{.one[*]}", "{.s}", "{.s[0]}", "{.big}", "{.f}", "{.g}", "{.t}", "{.nul}", "{.nul.x}", "{.nul[0]}", "{.em}", "{.empty}",
	"{.empty[0]}", "{.empty[*]}", "{.missing}", "{.missing.deeper}", "{.missing[0]}", "{.items[*].nope}", "{.items[*].status.phase}",
	"{.items[1].status.message}", "{\"quoted\"}", "{'it\\'s'}", `{"tab\tend"}`, `{"\u00e4"}`, "{1}", "{-2.5}", "{true}", "{foo}", "{.kind",
	"{.items[}", "{.items[x]}", "{.items[?(@.a]}", "{.items[?(@.kind==\"Pod\"]}", "{....}", "{..}{\"x", "{^}", "{.items[0].kind}{.items[1].kind}",
	"{.items[?(@.kind=='Pod')].status.n} end", "{.items[*].status['phase','n']}", "{.items[0:2].status.ready}", "{.items[?(@.kind)].kind}",
	"{.items[?(.kind=='Pod')].metadata.name}", "{.items[?(@.status.ready>true)].kind}", "{.items[?(@.kind==1)].kind}", "{.items[?(@.kind=~'P')].kind}",
	"{.s.x}", "{.t.x}", "{.items.x}", "{.items[0].metadata.labels}", "a{.kind}b{.s}c", "{.kind}}", "{{.kind}}",
}

func jsonPath(r *rand.Rand) object {
	text := templates[r.Intn(len(templates))]
	var doc any
	if err := json.Unmarshal([]byte(pods), &doc); err != nil {
		panic(err)
	}
	var typed any
	/* integers as integers, as the API's objects have them */
	d := json.NewDecoder(bytes.NewReader([]byte(pods)))
	d.UseNumber()
	if err := d.Decode(&typed); err != nil {
		panic(err)
	}
	doc = ints(typed)
	allow := r.Intn(2) == 0
	j := jsonpath.New("t").AllowMissingKeys(allow)
	out := object{"template": text, "allow": allow}
	if err := j.Parse(text); err != nil {
		out["error"] = err.Error()
		return out
	}
	asJSON := r.Intn(4) == 0
	j.EnableJSONOutput(asJSON)
	out["json"] = asJSON
	var b bytes.Buffer
	var err error
	func() {
		defer func() {
			if recover() != nil {
				out = nil
			}
		}()
		err = j.Execute(&b, doc)
	}()
	if out == nil {
		return nil
	}
	out["error"] = textOf(err)
	out["output"] = b.String()
	return out
}

func ints(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = ints(x)
		}
	case []any:
		for i, x := range v {
			v[i] = ints(x)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

func jsonPathDoc(r *rand.Rand) object { return object{"doc": json.RawMessage(pods)} }
