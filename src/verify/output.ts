/**
 * Whether two outputs of programs are the same.
 *
 * @param whitespace 'lines': white space at the ends of lines, empty lines at the end and the kind of line breaks do not
 *   matter. 'words': nor does the amount of white space between words. 'exact': everything matters.
 */
export function sameOutput(
  output: string,
  expected: string,
  whitespace: 'lines' | 'words' | 'exact',
): boolean {
  const normal = NORMAL[whitespace];
  return normal(output) === normal(expected);
}

const NORMAL = {
  exact: (text: string) => text,
  lines: (text: string) =>
    text
      .split(/\r\n|\r|\n/)
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd(),
  words: (text: string) => text.trim().replace(/\s+/g, ' '),
};
