/** The pictures of state machines in ARCHITECTURE.md are those that the total tables draw. */
import t from 'tap'
import { statesMermaid } from '../../primary/session/states.js'
import { repositoryText } from './repository.js'

const page = repositoryText('ARCHITECTURE.md')

for (const [name, picture] of Object.entries(statesMermaid())) {
  t.test(`the ${name} is drawn from its table`, async (t) => {
    t.ok(page.includes(`\`\`\`mermaid\n${picture}\n\`\`\``), `ARCHITECTURE.md shows:\n${picture}`)
  })
}
