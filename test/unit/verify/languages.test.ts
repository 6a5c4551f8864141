import { beforeAll, describe, expect, it } from 'vitest';
import type { Language } from '../../../src/config/verifier.js';
import { createVerifier } from '../../../src/verify/create-verifier.js';
import type { Verifier } from '../../../src/verify/verifier.js';
import { canIsolate, hasLanguage } from '../../toolchains.js';

interface Example {
  language: Language;
  /** Reads two numbers and writes their sum. */
  sum: string;
  /** A function `twice`. */
  twice: string;
  /** Tests of it, to append and as the main file. */
  tests: string;
  testsFile: string;
  /** Has an error of types or syntax. */
  broken: string;
}

const EXAMPLES: readonly Example[] = [
  {
    language: 'c',
    sum: '#include <stdio.h>\nint main(void) { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); return 0; }',
    twice: 'int twice(int x) { return 2 * x; }',
    tests: '#include <assert.h>\nint main(void) { assert(twice(4) == 8); return 0; }',
    testsFile:
      '#include "answer.c"\n#include <assert.h>\nint main(void) { assert(twice(4) == 8); return 0; }',
    broken: 'int main(void) { return x; }',
  },
  {
    language: 'cpp',
    sum: '#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }',
    twice: 'template <class T> T twice(T x) { return 2 * x; }',
    tests: '#include <cassert>\nint main() { assert(twice(4) == 8); }',
    testsFile: '#include "answer.cpp"\n#include <cassert>\nint main() { assert(twice(4) == 8); }',
    broken: 'int main() { return "a"; }',
  },
  {
    language: 'rust',
    sum: `use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    println!("{}", text.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum::<i64>());
}`,
    twice: 'fn twice(x: i32) -> i32 { 2 * x }',
    tests: 'fn main() { assert_eq!(twice(4), 8); }',
    testsFile:
      'mod answer { include!("answer.rs"); pub fn call(x: i32) -> i32 { twice(x) } }\nfn main() { assert_eq!(answer::call(4), 8); }',
    broken: 'fn main() { let x = String::new(); drop(x); drop(x); }',
  },
  {
    language: 'go',
    sum: 'package main\nimport "fmt"\nfunc main() {\n\tvar a, b int\n\tfmt.Scan(&a, &b)\n\tfmt.Println(a + b)\n}',
    twice: 'package main\nfunc twice(x int) int { return 2 * x }',
    tests: 'func main() { if twice(4) != 8 { panic("wrong") } }',
    testsFile: 'package main\nfunc main() { if twice(4) != 8 { panic("wrong") } }',
    broken: 'package main\nimport "fmt"\nfunc main() {}',
  },
  {
    language: 'typescript',
    sum: `import { readFileSync } from 'node:fs';
const numbers: number[] = readFileSync(0, 'utf8').split(' ').map(Number);
console.log(numbers.reduce((a, b) => a + b));`,
    twice: 'export function twice(x: number): number { return 2 * x; }',
    tests: "if (twice(4) !== 8) throw new Error('wrong');",
    testsFile:
      "import { twice } from './answer.js';\nif (twice(4) !== 8) throw new Error('wrong');",
    broken: "const x: number = 'a';",
  },
  {
    language: 'python',
    sum: 'print(sum(int(n) for n in input().split()))',
    twice: 'def twice(x):\n    return 2 * x',
    tests: 'assert twice(4) == 8',
    testsFile: 'from answer import twice\nassert twice(4) == 8',
    broken: 'def twice(x:\n    return',
  },
];

const fenced = (language: string, code: string) =>
  `Here it is:\n\n\`\`\`${language}\n${code}\n\`\`\`\nIt works.`;
const task = { index: 0, prompt: 'Write it.' };

describe.skipIf(!canIsolate())('code in a sandbox', () => {
  const found = EXAMPLES.filter(({ language }) => hasLanguage(language));
  it.skipIf(found.length < EXAMPLES.length)('is tested in every language', () => {
    expect(found).toEqual(EXAMPLES);
  });

  describe.each(found)('$language', (example) => {
    const { language } = example;
    let [compile, run, tests, testsFile]: Verifier[] = [];
    beforeAll(async () => {
      compile = await createVerifier({ type: 'compile', language });
      run = await createVerifier({ type: 'run', language });
      tests = await createVerifier({ type: 'tests', language });
      testsFile = await createVerifier({ type: 'tests', language, placement: 'file' });
    }, 600_000); // Go may compile its library first

    it('compiles, runs and is tested', async () => {
      expect(await compile!.verify(fenced(language, example.sum), task)).toEqual({
        passed: true,
        score: 1,
        stage: 'compile',
        compiled: true,
        detail: '',
      });
      expect(await compile!.verify(example.twice, task)).toMatchObject({ passed: true });

      const sum = { ...task, expected: '42', row: { stdin: '40 2' } };
      const right = { passed: true, stage: 'compare', compiled: true, detail: '' };
      expect(await run!.verify(fenced(language, example.sum), sum)).toMatchObject(right);

      const tested = { ...task, row: { tests: example.tests } };
      expect(await tests!.verify(fenced('', example.twice), tested)).toMatchObject(right);
      const inFile = { ...task, row: { tests: example.testsFile } };
      expect(await testsFile!.verify(example.twice, inFile)).toMatchObject(right);
    });

    it('fails in the stage that finds the mistake', async () => {
      for (const code of [example.broken, 'This is not code.']) {
        const broken = await compile!.verify(code, task);
        expect(broken).toMatchObject({ passed: false, stage: 'compile', compiled: false });
        expect(broken.detail).toMatch(/ended with code [12]: ./);
      }
      const wrong = { ...task, expected: '43', row: { stdin: '40 2' } };
      expect(await run!.verify(example.sum, wrong)).toMatchObject({
        passed: false,
        stage: 'compare',
        compiled: true,
        detail: "wrote '42' instead of '43'",
      });
      const three = example.twice.replace('2 * x', '3 * x');
      const tested = { ...task, row: { tests: example.tests } };
      expect(await tests!.verify(three, tested)).toMatchObject({
        passed: false,
        stage: 'run',
        compiled: true,
      });
    });

    it('fails an answer without its code', async () => {
      for (const answer of ['', '```json\n{}\n```']) {
        expect(await compile!.verify(answer, task)).toMatchObject({
          passed: false,
          stage: 'extract',
          compiled: null,
        });
      }
    });
  });
});
