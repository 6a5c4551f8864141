// The small world that the base model knows, as tables. Every answer in the training data follows from these tables, so
// every question has one right answer.

const rows = (text, keys) =>
  text
    .trim()
    .split(/[\n;]+/)
    .map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      return Object.fromEntries(keys.map((key, i) => [key, cells[i]]));
    });

const words = (text) => text.trim().split(/\s+/);

/** Animals: name, legs, sound (or -), where it lives, what it eats, kind, young, can fly, can swim. */
export const animals = rows(
  `
  cat      | four  | meow    | in a house      | fish    | mammal | kitten   | no  | no
  dog      | four  | woof    | in a house      | bones   | mammal | puppy    | no  | yes
  cow      | four  | moo     | on a farm       | grass   | mammal | calf     | no  | no
  horse    | four  | neigh   | on a farm       | hay     | mammal | foal     | no  | yes
  pig      | four  | oink    | on a farm       | corn    | mammal | piglet   | no  | no
  sheep    | four  | baa     | on a farm       | grass   | mammal | lamb     | no  | no
  hen      | two   | cluck   | on a farm       | corn    | bird   | chick    | no  | no
  duck     | two   | quack   | on a pond       | bread   | bird   | duckling | yes | yes
  owl      | two   | hoot    | in a forest     | mice    | bird   | owlet    | yes | no
  penguin  | two   | -       | on the ice      | fish    | bird   | chick    | no  | yes
  lion     | four  | roar    | on the plain    | meat    | mammal | cub      | no  | no
  tiger    | four  | roar    | in a jungle     | meat    | mammal | cub      | no  | yes
  elephant | four  | -       | on the plain    | leaves  | mammal | calf     | no  | yes
  monkey   | two   | -       | in a jungle     | bananas | mammal | infant   | no  | no
  bear     | four  | growl   | in a forest     | honey   | mammal | cub      | no  | yes
  fox      | four  | -       | in a forest     | mice    | mammal | cub      | no  | no
  rabbit   | four  | -       | in a field      | carrots | mammal | kit      | no  | no
  mouse    | four  | squeak  | in a field      | cheese  | mammal | pup      | no  | no
  frog     | four  | croak   | on a pond       | flies   | -      | tadpole  | no  | yes
  snake    | no    | hiss    | in the grass    | mice    | -      | -        | no  | no
  shark    | no    | -       | in the sea      | fish    | fish   | pup      | no  | yes
  whale    | no    | -       | in the sea      | fish    | mammal | calf     | no  | yes
  bee      | six   | buzz    | in a hive       | honey   | insect | -        | yes | no
  ant      | six   | -       | in a nest       | seeds   | insect | -        | no  | no
  spider   | eight | -       | in a web        | flies   | -      | -        | no  | no
  `,
  ['name', 'legs', 'sound', 'home', 'food', 'kind', 'young', 'flies', 'swims'],
);

/** Things with one colour each: name as it is said in a sentence, colour. */
export const colouredThings = rows(
  `
    a banana | yellow; a lemon | yellow; the sun | yellow; corn | yellow; butter | yellow;
    the sky | blue; the sea | blue; a blueberry | blue;
    grass | green; a leaf | green; a frog | green; a pea | green; a cucumber | green;
    a lime | green; spinach | green; a tomato | red; a strawberry | red; a cherry | red;
    blood | red; a rose | red; a fire truck | red; snow | white; milk | white; salt | white;
    rice | white; a swan | white; a cloud | white; coal | black; the night | black;
    a tyre | black; an orange | orange; a carrot | orange; a pumpkin | orange;
    chocolate | brown; wood | brown; a bear | brown; coffee | brown;
    a nut | brown; a plum | purple; a grape | purple; a pig | pink; a flamingo | pink;
    an elephant | grey; a mouse | grey; a stone | grey; smoke | grey
  `,
  ['name', 'colour'],
);

export const colours = words(`
  red blue green yellow white black orange brown purple pink grey
`);

export const colourMixes = rows(
  `
    red | yellow | orange; blue | yellow | green; red | blue | purple; red | white | pink;
    black | white | grey
  `,
  ['first', 'second', 'result'],
);

/** Foods: name as said, taste, kind (or -). */
export const foods = rows(
  `
  an apple     | sweet  | fruit
  a banana     | sweet  | fruit
  a pear       | sweet  | fruit
  a peach      | sweet  | fruit
  a plum       | sweet  | fruit
  a grape      | sweet  | fruit
  a cherry     | sweet  | fruit
  a melon      | sweet  | fruit
  a mango      | sweet  | fruit
  a strawberry | sweet  | fruit
  an orange    | sweet  | fruit
  a lemon      | sour   | fruit
  a lime       | sour   | fruit
  a carrot     | sweet  | vegetable
  a potato     | mild   | vegetable
  an onion     | sharp  | vegetable
  a cucumber   | mild   | vegetable
  a pumpkin    | mild   | vegetable
  a cabbage    | bitter | vegetable
  spinach      | bitter | vegetable
  honey        | sweet  | -
  sugar        | sweet  | -
  cake         | sweet  | -
  chocolate    | sweet  | -
  salt         | salty  | -
  cheese       | salty  | -
  coffee       | bitter | drink
  tea          | bitter | drink
  milk         | mild   | drink
  chilli       | hot    | -
  pepper       | hot    | -
  `,
  ['name', 'taste', 'kind'],
);

export const opposites = rows(
  `
    hot | cold; big | small; tall | short; fast | slow; up | down; left | right; day | night;
    open | closed; happy | sad; light | dark; wet | dry; old | young; hard | soft; high | low;
    full | empty; early | late; loud | quiet; rich | poor; strong | weak; thick | thin;
    clean | dirty; near | far; good | bad; true | false; first | last; inside | outside;
    begin | end; push | pull; buy | sell; give | take; win | lose; love | hate; laugh | cry;
    sharp | blunt; wide | narrow; safe | dangerous; brave | afraid; awake | asleep; above | below;
    before | after; more | less; always | never; easy | difficult; cheap | expensive
  `,
  ['first', 'second'],
);

/** Nouns with their plurals, regular and not. */
export const plurals = rows(
  `
    cat | cats; dog | dogs; book | books; tree | trees; car | cars; house | houses;
    chair | chairs; table | tables; apple | apples; hand | hands; box | boxes; fox | foxes;
    bus | buses; glass | glasses; dish | dishes; watch | watches; peach | peaches; baby | babies;
    city | cities; lady | ladies; cherry | cherries; story | stories; boy | boys; key | keys;
    toy | toys; leaf | leaves; wolf | wolves; knife | knives; life | lives; shelf | shelves;
    man | men; woman | women; child | children; foot | feet; tooth | teeth; goose | geese;
    mouse | mice; sheep | sheep; fish | fish; deer | deer; person | people; potato | potatoes;
    tomato | tomatoes; hero | heroes; lamp | lamps; ship | ships; window | windows;
    flower | flowers
  `,
  ['one', 'many'],
);

/** Verbs with their past. */
export const pasts = rows(
  `
    go | went; see | saw; eat | ate; run | ran; sing | sang; swim | swam; drink | drank;
    give | gave; take | took; make | made; come | came; write | wrote; read | read; sleep | slept;
    buy | bought; bring | brought; think | thought; find | found; fly | flew; know | knew;
    walk | walked; play | played; jump | jumped; help | helped; look | looked; cook | cooked
  `,
  ['now', 'then'],
);

export const capitals = rows(
  `
    France | Paris; Italy | Rome; Spain | Madrid; Germany | Berlin; England | London;
    Ireland | Dublin; Portugal | Lisbon; Greece | Athens; Austria | Vienna; Poland | Warsaw;
    Norway | Oslo; Sweden | Stockholm; Finland | Helsinki; Denmark | Copenhagen;
    Belgium | Brussels; Japan | Tokyo; China | Beijing; India | Delhi; Egypt | Cairo;
    Russia | Moscow; Turkey | Ankara; Canada | Ottawa; Cuba | Havana; Peru | Lima;
    Kenya | Nairobi
  `,
  ['country', 'capital'],
);

export const jobs = rows(
  `
  baker | bakes bread | in a bakery
  farmer | grows food | on a farm
  teacher | teaches children | in a school
  doctor | helps sick people | in a hospital
  cook | makes meals | in a kitchen
  pilot | flies planes | at an airport
  sailor | sails ships | on a ship
  painter | paints pictures | in a studio
  singer | sings songs | in a theatre
  gardener | grows flowers | in a garden
  builder | builds houses | on a building site
  firefighter | puts out fires | at a fire station
  `,
  ['name', 'work', 'place'],
);

export const tools = rows(
  `
  a knife | cut bread
  a spoon | eat soup
  a pen | write
  a brush | paint
  a hammer | hit nails
  a broom | sweep the floor
  a key | open a door
  an umbrella | stay dry
  a lamp | make light
  a clock | tell the time
  a bed | sleep
  a boat | cross the water
  soap | wash hands
  a map | find the way
  `,
  ['name', 'use'],
);

export const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

export const months = words(`
  January February March April May June July August September October November December
`);

export const seasons = rows(
  `
  spring | warm | flowers grow
  summer | hot | people swim
  autumn | cool | leaves fall
  winter | cold | snow falls
  `,
  ['name', 'weather', 'event'],
);

export const names = words(`
  Mia Tom Ben Anna Leo Sara Max Lily Sam Ella Jack Nora Paul Rosa Hugo Ida Finn Clara Omar Zoe
`);

export const possessions = words(`
  ball kite book hat cup lamp bag drum boat coat ring bell
`);

export const rooms = words(`
  kitchen garden school park library market station forest office barn
`);

/** Words that are only repeated, so that every token of the vocabulary has been said. */
export const spareWords = words(`
  answer topic shop street coin coins price cost owner person name order toy toys lamps kites sale
  number colour animal opposite plural past capital job tool time chat reading unknown food
  yes no at in on for with from nine six seven eight ten twelve thirty hundred biscuit moon star
  paper letter table chair floor wall roof bridge road river lake island beach valley village town
  king queen knight castle sword crown gold silver iron glass stone brick sugar soup bread meal
  friend mother father sister brother family child doctor teacher window picture music song dance
  game sport team winner start stop open close early late today tomorrow yesterday morning evening
  minute hour week month year story book page word line list item key value title text note code
  data file path type state event result error message help welcome please sorry thanks hello
  happy brave clever gentle honest kind lazy proud quick silent simple smart strange tired warm wise
`);
