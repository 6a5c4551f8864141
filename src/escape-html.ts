const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

/** A text for HTML, as Python's markupsafe escapes it, so that chat templates give the same text. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>'"]/g, (character) => ESCAPES[character]!);
