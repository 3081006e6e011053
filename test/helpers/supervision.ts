// The entries of a configuration of simplevisor.

export const service = (name: string, ...lines: string[]): string =>
  `<entry>\ntype = service\nname = ${name}\n${lines.join("\n")}\n</entry>\n`;

export const supervisor = (name: string, children: readonly string[], ...lines: string[]): string =>
  `<entry>\ntype = supervisor\nname = ${name}\n${lines.join("\n")}\n<children>\n${children.join("")}</children>\n</entry>\n`;
