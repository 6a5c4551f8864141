import { describe, expect, it } from 'vitest';
import { functionsOf, longFiles, longFunctions } from './lengths.js';
import { filesUnder } from './source-files.js';

const LONGEST_FILE = 400;
const LONGEST_FUNCTION = 80;

/** Functions that are longer. This list only shrinks. */
const ALLOWED: readonly string[] = [];

describe('the sources', () => {
  it(`have no file of more than ${LONGEST_FILE} lines`, () => {
    const all = ['native', 'scripts', 'src', 'test', 'tools'].flatMap((tree) =>
      filesUnder(tree, /\.(h|cpp|ts|mjs)$/).map(({ path, text }) => ({
        path: `${tree}/${path}`,
        text,
      })),
    );
    expect(longFiles(all, LONGEST_FILE)).toEqual([]);
  });

  it(`have no C++ function of more than ${LONGEST_FUNCTION} lines (biome checks TypeScript)`, () => {
    const files = ['native', 'test/native'].flatMap((tree) =>
      filesUnder(tree, /\.(h|cpp)$/).map(({ path, text }) => ({ path: `${tree}/${path}`, text })),
    );
    expect(files.flatMap(({ text }) => functionsOf(text)).length).toBeGreaterThan(1000);
    expect(longFunctions(files, LONGEST_FUNCTION, ALLOWED)).toEqual([]);
  });
});

describe('the search for long files and functions', () => {
  const text = `#include "a.h"

namespace a {

const std::vector<row> rows{
    {1, 2},
};

enum class kind { one, two };

struct b : c {
    explicit b(int x) : x_(x) {}

    int x() const {
        if (x_) {
            return 1;
        }
        return x_;
    }

private:
    int x_ = 0;
};

b::b(const std::string & long_name,
     int other)
    : x_(other) {
    const auto f = [&] {
        go();
    };
}

template <typename T> void g(T) { // why
    h();
}

}

TEST("a") {
    CHECK(true);
}
`;

  it('finds functions, methods and tests only', () => {
    expect(functionsOf(text)).toEqual([
      { head: 'int x() const {', line: 14, lines: 6 },
      { head: 'b::b(const std::string & long_name, int other) : x_(other) {', line: 25, lines: 7 },
      { head: 'void g(T) { // why', line: 33, lines: 3 },
      { head: 'TEST("a") {', line: 39, lines: 3 },
    ]);
  });

  it('names long files', () => {
    const file = { path: 'a', text: 'x\n'.repeat(3) };
    expect(longFiles([file], 2)).toEqual(['a: 3 lines, more than 2']);
    expect(longFiles([file], 3)).toEqual([]);
  });

  it('names long functions, and entries of the list that are not needed', () => {
    const files = [{ path: 'a.cpp', text }];
    expect(longFunctions(files, 6, [])).toEqual([
      'a.cpp:25: 7 lines, more than 6: b::b(const std::string & long_name, int other) : x_(other) {',
    ]);
    expect(longFunctions(files, 6, ['a.cpp: b::b'])).toEqual([]);
    expect(longFunctions(files, 7, ['a.cpp: b::b'])).toEqual([
      'a.cpp: b::b is short enough now: remove it from the list',
    ]);
  });
});
