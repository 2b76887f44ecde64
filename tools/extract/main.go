// SPDX-License-Identifier: Apache-2.0

// extract writes api/DOMAIN/*.kind from the public Go types of OCI, Docker and
// Kubernetes: names, JSON and protobuf tags, presence, list types. It copies no
// prose. Run by `make extract`; the files it writes are never edited by hand.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
)

// A root is a Go type that a domain must have; what it refers to follows.
type root struct {
	file, name string // file "" = last element of the Go package
	value      any
}

type domain struct {
	name   string
	roots  []root
	rename map[string]string // Go type "pkg.Name" -> our name
	cut    map[string]string // Go type "pkg.Name" or field "pkg.Name.Field" -> type in our words, not followed
	lists  map[string]string // "io.k8s.….Name.field" -> attributes; "io.k8s.….Name" -> "atomic"
	files  map[string]string // Go package -> file, where it is not the package's own name
}

type kind struct {
	name, file string
	t          reflect.Type
	text       string
}

type run struct {
	d     *domain
	named map[reflect.Type]*kind
	names map[string]reflect.Type
	queue []*kind
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func short(t reflect.Type) string {
	p := t.PkgPath()
	return p[strings.LastIndex(p, "/")+1:] + "." + t.Name()
}

func (r *run) add(t reflect.Type, name, file string) *kind {
	if k, ok := r.named[t]; ok {
		return k
	}
	if name == "" {
		name = r.d.rename[short(t)]
	}
	if name == "" {
		name = t.Name()
	}
	if name == "" {
		die("%v has no name", t)
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if _, taken := r.names[name]; taken && strings.HasPrefix(t.PkgPath(), "k8s.io/") {
		// the first comer keeps the short name: core's Event, then EventsEvent; HorizontalPodAutoscaler (v2), then AutoscalingV1…
		v := strings.Split(t.PkgPath(), "/")
		group, version := title(v[len(v)-2]), title(v[len(v)-1])
		if _, taken = r.names[group+name]; taken || group == "Autoscaling" {
			group += version
		}
		name = group + name
	}
	if other, ok := r.names[name]; ok {
		die("%s: both %s.%s and %s.%s are called %s", r.d.name, other.PkgPath(), other.Name(), t.PkgPath(), t.Name(), name)
	}
	if file == "" {
		file = strings.SplitN(short(t), ".", 2)[0]
		if v := strings.Split(t.PkgPath(), "/"); strings.HasPrefix(t.PkgPath(), "k8s.io/") {
			file = v[len(v)-2] + "_" + v[len(v)-1]
		}
	}
	if f, ok := r.d.files[file]; ok {
		file = f
	}
	k := &kind{name: name, file: file, t: t}
	r.named[t] = k
	r.names[name] = t
	r.queue = append(r.queue, k)
	return k
}

// Types whose JSON form is not what reflection shows.
var special = map[string]string{
	"time.Time":               "time",
	"time.Duration":           "int64",
	"json.RawMessage":         "json",
	"strslice.StrSlice":       "strslice",
	"registry.NetIPNet":       "string",
	"netip.Addr":              "string",
	"v1.Time":                 "metatime",
	"v1.MicroTime":            "microtime",
	"v1.Duration":             "duration",
	"v1.FieldsV1":             "fields",
	"resource.Quantity":       "quantity",
	"intstr.IntOrString":      "intorstring",
	"runtime.RawExtension":    "rawextension",
	"v1beta1.JSON":            "json",
	"nat.PortSet":             "map[string]empty",
	"digest.Digest":           "string",
	"swarm.RuntimeType":       "string",
	"types.UID":               "string",
	"types.NodeName":          "string",
	"types.NamespacedName":    "string",
	"network.NetworkTopology": "string",
}

func basic(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Uint, reflect.Int64, reflect.Uint64:
		return t.Kind().String()
	case reflect.Bool, reflect.String, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return t.Kind().String()
	case reflect.Float32, reflect.Float64:
		return "float64"
	}
	return ""
}

// text of a type in the .kind language
func (r *run) typ(t reflect.Type) string {
	if t.Name() != "" {
		if c, ok := r.d.cut[short(t)]; ok {
			return c
		}
		if s, ok := special[short(t)]; ok {
			return s
		}
		if b := basic(t); b != "" {
			return b
		}
	}
	switch t.Kind() {
	case reflect.Interface:
		return "json"
	case reflect.Pointer:
		e := r.typ(t.Elem())
		if e == "json" || e == "strslice" || strings.HasPrefix(e, "[]") || strings.HasPrefix(e, "map[") {
			return e
		}
		return "*" + e
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Elem().Name() == "uint8" {
			return "bytes"
		}
		return "[]" + strings.TrimPrefix(r.typ(t.Elem()), "*")
	case reflect.Map:
		if t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0 {
			return "map[string]empty"
		}
		e := r.typ(t.Elem())
		if t.Elem().Kind() == reflect.Pointer && t.Elem().Elem().Kind() == reflect.Struct {
			e = strings.TrimPrefix(e, "*")
		}
		return "map[string]" + e
	case reflect.Struct:
		if t.Name() == "" {
			return r.anonymous(t)
		}
		return r.add(t, "", "").name
	}
	if b := basic(t); b != "" {
		return b
	}
	die("%s: no word for %v", r.d.name, t)
	return ""
}

var inKind *kind
var inField string

// A struct without a name is called after the field that holds it.
func (r *run) anonymous(t reflect.Type) string {
	if k, ok := r.named[t]; ok {
		return k.name
	}
	return r.add(t, inKind.name+inField, inKind.file).name
}

func tagHas(opts []string, s string) bool {
	for _, o := range opts {
		if o == s {
			return true
		}
	}
	return false
}

type field struct {
	json, typ string
	attrs     []string
	depth     int
}

// Go's error messages name a type; ours can say it for named scalars.
func goName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Array && t.Name() == "" {
		return t.String()
	}
	if t.Name() == "" || t.PkgPath() == "" || t.Kind() == reflect.Struct || t.Kind() == reflect.Interface {
		return ""
	}
	return short(t)
}

func (r *run) fields(k *kind, t reflect.Type, outer, via string, depth int) (out []field) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		opts := strings.Split(f.Tag.Get("json"), ",")
		name := opts[0]
		pb := pbNumber(f.Tag.Get("protobuf"))
		if name == "-" || (!f.IsExported() && !f.Anonymous) {
			continue
		}
		ft := f.Type
		if f.Anonymous && name == "" || tagHas(opts, "inline") {
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				o := pb + "."
				if pb == "" {
					o = "-" // not in protobuf at all
				} else if outer != "" {
					die("%v: nested twice in protobuf", t)
				}
				out = append(out, r.fields(k, ft, o, via+f.Name+".", depth+1)...)
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		inKind, inField = k, f.Name
		fl := field{json: name, depth: depth}
		if c, ok := r.d.cut[short(k.t)+"."+f.Name]; ok {
			if c == "" {
				continue
			}
			fl.typ = c
		} else {
			fl.typ = r.typ(ft)
		}
		for _, o := range []string{"omitempty", "omitzero", "string"} {
			if tagHas(opts[1:], o) {
				if o == "string" {
					o = "quoted"
				}
				fl.attrs = append(fl.attrs, o)
			}
		}
		if pb != "" && outer != "-" {
			fl.attrs = append(fl.attrs, "pb="+outer+pb)
		}
		if g := goName(ft); g != "" && !strings.HasPrefix(ft.PkgPath(), "k8s.io/") {
			fl.attrs = append(fl.attrs, "go="+g)
		}
		if via != "" && !strings.HasPrefix(k.t.PkgPath(), "k8s.io/") {
			fl.attrs = append(fl.attrs, "in="+strings.TrimSuffix(via, "."))
		}
		if a, ok := r.d.lists[longName(k.t)+"."+name]; ok {
			fl.attrs = append(fl.attrs, a)
		} else if a, ok := r.d.lists[longName(t)+"."+name]; ok {
			fl.attrs = append(fl.attrs, a)
		}
		if s := f.Tag.Get("patchStrategy"); s != "" {
			fl.attrs = append(fl.attrs, "patch="+s)
		}
		if s := f.Tag.Get("patchMergeKey"); s != "" {
			fl.attrs = append(fl.attrs, "merge="+s)
		}
		out = append(out, fl)
	}
	return out
}

// the number of `protobuf:"bytes,12,opt,name=x"`
func pbNumber(tag string) string {
	v := strings.Split(tag, ",")
	if len(v) < 2 {
		return ""
	}
	return v[1]
}

func (r *run) write(k *kind) {
	all := r.fields(k, k.t, "", "", 0)
	best := map[string]int{}
	for _, f := range all {
		if d, ok := best[f.json]; !ok || f.depth < d {
			best[f.json] = f.depth
		}
	}
	var b strings.Builder
	goname := ""
	if k.t.Name() != "" && k.t.PkgPath() != "main" {
		goname = " go=" + short(k.t)
	}
	if a, ok := r.d.lists[longName(k.t)]; ok {
		goname += " " + a
	}
	fmt.Fprintf(&b, "\nkind %s%s\n", k.name, goname)
	seen := map[string]bool{}
	for _, f := range all {
		if f.depth != best[f.json] || seen[f.json] {
			continue
		}
		seen[f.json] = true
		if strings.ContainsAny(f.json, " #") {
			f.json = `"` + f.json + `"`
		}
		line := fmt.Sprintf("\t%-32s %-32s %s", f.json, f.typ, strings.Join(f.attrs, " "))
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	k.text = b.String()
}

func die(f string, a ...any) {
	fmt.Fprintf(os.Stderr, "extract: "+f+"\n", a...)
	os.Exit(1)
}

func extract(d *domain, api string) {
	r := &run{d: d, named: map[reflect.Type]*kind{}, names: map[string]reflect.Type{}}
	for _, x := range d.roots {
		t := reflect.TypeOf(x.value)
		if t.Kind() != reflect.Struct {
			die("%v is no struct", t)
		}
		r.add(t, x.name, x.file)
	}
	files := map[string]string{}
	for i := 0; i < len(r.queue); i++ {
		k := r.queue[i]
		r.write(k)
		files[k.file] += k.text
	}
	dir := filepath.Join(api, d.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		die("%v", err)
	}
	var names []string
	for f := range files {
		names = append(names, f)
	}
	sort.Strings(names)
	for _, f := range names {
		text := "# SPDX-License-Identifier: Apache-2.0\n# Written by tools/extract from public Go types; not edited by hand.\ndomain " + d.name + "\n" + files[f]
		if err := os.WriteFile(filepath.Join(dir, f+".kind"), []byte(text), 0o644); err != nil {
			die("%v", err)
		}
	}
	fmt.Printf("%s: %d kinds\n", d.name, len(r.queue))
}

func main() {
	if len(os.Args) < 2 {
		die("usage: extract API-FOLDER [DOMAIN...]")
	}
	for _, d := range []*domain{ociDomain(), imageDomain(), dockerDomain(), kubeDomain(), criDomain()} {
		want := len(os.Args) == 2
		for _, n := range os.Args[2:] {
			want = want || n == d.name
		}
		if want {
			extract(d, os.Args[1])
			if d.name == "cri" {
				writeCriEnums(os.Args[1])
			}
		}
	}
}
