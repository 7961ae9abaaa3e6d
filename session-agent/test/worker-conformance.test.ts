import { askingCases } from './conformance/asking.ts';
import { executingCases } from './conformance/executing.ts';
import { framingCases } from './conformance/framing.ts';
import { greetingCases } from './conformance/greeting.ts';
import { interruptingCases } from './conformance/interrupting.ts';
import { languages } from './conformance/languages.ts';

for (const language of languages) {
  describe(`a worker in ${language.name}, by docs/worker-protocol.md,`, function () {
    this.timeout(120_000);
    describe('greets:', () => greetingCases(language));
    describe('speaks in frames:', () => framingCases(language));
    describe('executes:', () => executingCases(language));
    describe('is interrupted and asks:', () => interruptingCases(language));
    describe('answers and ends:', () => askingCases(language));
  });
}
