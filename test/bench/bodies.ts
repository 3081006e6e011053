const line = `${"abcdefghi ".repeat(10).slice(0, 99)}\n`;

/** What is moved, by the name of its size: text in lines, as most of what is moved in practice. */
export const bodies: Readonly<Record<string, string>> = { "100 B": line, "10 kB": line.repeat(100) };
