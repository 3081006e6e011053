/** The words of a command: separated by white space, and `%20` for what is within one. Nothing else is special. */
export const splitWords = (text: string): string[] => text.trim().split(/\s+/).map(decodeWord);

/** What is no `%XX` of UTF-8 stays as it is, as in the original. */
function decodeWord(word: string): string {
  return word.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}

/** A pattern that matches a text as it is. */
export const literally = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
