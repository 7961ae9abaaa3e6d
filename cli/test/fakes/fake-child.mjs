// A fake of an agent for the supervisor's tests: says its pid and FAKE_LABEL, ends with its stdin unless FAKE_STUBBORN is set.
process.stdout.write(`${JSON.stringify({ pid: process.pid, label: process.env.FAKE_LABEL })}\n`);
process.stdin.on('data', (chunk) => process.stdout.write(`heard ${String(chunk).trim()}\n`));
process.stdin.on('end', () => {
  if (process.env.FAKE_STUBBORN !== '1') process.exit(0);
});
setInterval(() => undefined, 1000);
if (process.env.FAKE_EXIT !== undefined) process.exit(Number(process.env.FAKE_EXIT));
