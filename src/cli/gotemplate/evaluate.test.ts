import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTemplate } from './evaluate.ts';
import { ROW } from './go-json.ts';
import { NIL_LIST, NIL_MAP, NIL_POINTER, type ValueMap } from './value.ts';

const DATA: ValueMap = {
  Name: 'app',
  Empty: '',
  Count: 3,
  Zero: 0,
  Half: 1.5,
  Big: 12345678901234567890n,
  Yes: true,
  Nil: null,
  List: ['a', 'b', 'c'],
  None: [],
  Map: { b: 'two', a: 1, 'x.y': [1, 2] },
  Config: { Cmd: ['sh', '-c', 'echo "<hi>" & true'], Env: null, Deep: { Er: 'end' } },
  Label: (name) => `<${name}>`,
};

const rows: readonly [template: string, expected: string][] = [
  ['plain', 'plain'],
  ['{{.Name}}', 'app'],
  ['a{{ .Name }}b', 'aappb'],
  ['a {{- .Name -}} b', 'aappb'],
  ['a{{/* note */}}b', 'ab'],
  ['a {{- /* note */ -}} b', 'ab'],
  ['{{.Config.Deep.Er}}', 'end'],
  ['{{(.Config).Deep.Er}}', 'end'],
  [
    '{{.}}',
    'map[Big:12345678901234567890 Config:map[Cmd:[sh -c echo "<hi>" & true] Deep:map[Er:end] Env:<nil>] Count:3 Empty: Half:1.5 Label:<func> List:[a b c] Map:map[a:1 b:two x.y:[1 2]] Name:app Nil:<nil> None:[] Yes:true Zero:0]',
  ],
  ['{{.Nil}} {{.List}} {{.Map}} {{.Half}}', '<no value> [a b c] map[a:1 b:two x.y:[1 2]] 1.5'],
  ['{{index .List 1}} {{index .Map "x.y" 1}} {{index .Map "none"}}', 'b 2 <no value>'],
  ['{{len .List}} {{len .Map}} {{len .Name}}', '3 3 3'],
  ['{{slice .Name 1}} {{slice .List 0 2}} {{slice .Name 0 1}}', 'pp [a b] a'],
  ['{{range .List}}{{.}},{{end}}', 'a,b,c,'],
  ['{{range $i, $x := .List}}{{$i}}={{$x}} {{end}}', '0=a 1=b 2=c '],
  ['{{range $k, $v := .Map}}{{$k}}:{{$v}};{{end}}', 'a:1;b:two;x.y:[1 2];'],
  ['{{range .None}}x{{else}}empty{{end}}', 'empty'],
  ['{{range .Nil}}x{{else}}nil{{end}}', 'nil'],
  ['{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', 'a'],
  ['{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', 'ac'],
  ['{{if .Name}}y{{end}}{{if .Empty}}n{{else}}e{{end}}', 'ye'],
  ['{{if .Zero}}a{{else if .Yes}}b{{else}}c{{end}}', 'b'],
  ['{{with .Config}}{{.Deep.Er}}{{end}}{{with .Empty}}x{{else}}{{.Name}}{{end}}', 'endapp'],
  ['{{with $x := .Name}}{{$x}}{{$.Count}}{{end}}', 'app3'],
  ['{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}', '12'],
  ['{{$x := 1}}{{if true}}{{$x = 5}}{{end}}{{$x}}', '5'],
  ['{{.Name | printf "%s-%s" "x"}}', 'x-app'],
  ['{{.Name | upper | printf "%q"}}', '"APP"'],
  [
    '{{printf "%5d|%-5s|%05d|%x|%t|%v|%%|%c|%.2f" 42 "ab" 7 255 true .List 65 1.005}}',
    '   42|ab   |00007|ff|true|[a b c]|%|A|1.00',
  ],
  ['{{printf "%d" "x"}} {{printf "%s"}} {{printf "x" 1}}', '%!d(string=x) %!s(MISSING) x%!(EXTRA int=1)'],
  ['{{printf "%+d %q %s" 3 .List .Config.Cmd}}', '+3 ["a" "b" "c"] [sh -c echo "<hi>" & true]'],
  ['{{println "a" 1}}{{print "a" "b"}}', 'a 1\na b'],
  ['{{json .Config}}', '{"Cmd":["sh","-c","echo \\"<hi>\\" & true"],"Env":null,"Deep":{"Er":"end"}}'],
  ['{{json .Big}} {{json .Name}} {{json .Nil}}', '12345678901234567890 "app" null'],
  ['{{join .List "-"}} {{index (split "a,b" ",") 1}}', 'a-b-c b'],
  ['{{lower "AbC"}} {{upper "abc"}} {{title "hello big world"}}', 'abc ABC Hello Big World'],
  ['[{{pad "x" 1 2}}] [{{pad "" 1 2}}] [{{truncate "abcdef" 3}}] [{{truncate "ab" 3}}]', '[ x  ] [] [abc] [ab]'],
  [
    '{{eq .Name "app"}} {{eq .Count 1 2 3}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
    'true true true true true true false',
  ],
  ['{{and .Name .Count}} {{and .Empty .Count}} {{or .Empty .Name}} {{not .Yes}}', '3  app false'],
  ['{{or .Yes (index .List 99)}}', 'true'],
  ['{{.Label "a"}}', '<a>'],
  ['{{"quo\\"ted\\n"}}{{`raw\\n`}}', 'quo"ted\nraw\\n'],
  ["{{'a'}} {{0x1f}} {{-2}} {{1.5e3}} {{true}}", '97 31 -2 1500 true'],
  ['{{html "<a>"}} {{urlquery "a b&c"}}', '&lt;a&gt; a+b%26c'],
  ['{{range 3}}{{.}}{{end}}', '012'],
];
for (const [template, expected] of rows) {
  test(`template ${template}`, () => assert.equal(compileTemplate(template)(DATA), expected));
}

const broken: readonly [template: string, message: string][] = [
  ['{{', ':1: unclosed action'],
  ['a\n{{.Name', ':2: unclosed action'],
  ['{{nope .}}', ':1: function "nope" not defined'],
  ['{{if .X}}', ':1: unexpected EOF'],
  ['{{end}}', ':1: unexpected {{end}}'],
  ['{{$x}}', ':1: undefined variable "$x"'],
  ['{{"abc}}', ':1: unterminated quoted string'],
  ['{{}}', ':1: missing value for command'],
  ['{{break}}', ':1: {{break}} outside {{range}}'],
  ['{{if}}x{{end}}', ':1: missing value for if'],
  ['{{(.Name}}', ':1: unclosed left paren'],
  ['{{.Name ^}}', ':1: unexpected "^" in command'],
  ['{{/* a }}', ':1: unclosed comment'],
  ['{{.Nope}}', ':1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
  ['ab{{.Config.Nope}}', ':1:11: executing "" at <.Config.Nope>: map has no entry for key "Nope"'],
  ['{{.Name.Nope}}', `:1:7: executing "" at <.Name.Nope>: can't evaluate field Nope in type string`],
  ['{{.Nil.Nope}}', ':1:6: executing "" at <.Nil.Nope>: nil data; no entry for key "Nope"'],
  ['{{index .List 9}}', ':1:2: executing "" at <index>: error calling index: index out of range: 9'],
  ['{{eq 1 "a"}}', ':1:2: executing "" at <eq>: error calling eq: incompatible types for comparison'],
  ['{{len 3}}', ':1:2: executing "" at <len>: error calling len: len of type int'],
  ['{{slice .Name 9}}', ':1:2: executing "" at <slice>: error calling slice: index out of range: 9'],
];
for (const [template, message] of broken) {
  test(`broken template ${template}`, () => {
    assert.throws(() => compileTemplate(template)(DATA), { message: `template parsing error: template: ${message}` });
  });
}

test('fields that are absent or null may have a typed nil', () => {
  const nils: ValueMap = { Cmd: NIL_LIST, Labels: NIL_MAP, Health: NIL_POINTER };
  const print = (template: string) => compileTemplate(template, { nil: (name) => nils[name] })({ Cmd: null });
  assert.equal(print('{{.Cmd}} {{.Labels}} {{.Health}}'), '[] map[] <nil>');
  assert.equal(print('{{json .Cmd}} {{if .Health}}y{{else}}n{{end}} {{len .Labels}}'), 'null n 0');
});

test('a row is JSON with sorted keys, computed members, and escaped angle brackets', () => {
  const row: ValueMap = Object.assign(
    { [ROW]: true },
    { b: '<none>', a: () => 'x', method: (name: unknown) => `${name}` },
  );
  assert.equal(compileTemplate('{{json .}}')(row), '{"a":"x","b":"\\u003cnone\\u003e"}');
});
