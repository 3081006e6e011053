/** The content of an element by its id: of many sizes, and recognisably whole. */
export function contentOf(id: string): string {
  const number = Number(id.slice(id.lastIndexOf("-") + 1));
  return `${id} ${"x".repeat((number * 37) % 5000)} end\n`;
}
