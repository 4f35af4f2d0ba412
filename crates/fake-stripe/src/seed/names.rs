//! People, firms and places for a believable list of customers.

use super::draw::Draw;

const FIRST: [&str; 64] = [
    "Aaliyah",
    "Adele",
    "Aiko",
    "Alejandra",
    "Amara",
    "Anders",
    "Anouk",
    "Arjun",
    "Astrid",
    "Beatriz",
    "Bram",
    "Camille",
    "Carlos",
    "Chiara",
    "Daisuke",
    "Dana",
    "Declan",
    "Elena",
    "Elif",
    "Emeka",
    "Esther",
    "Farid",
    "Fiona",
    "Gustav",
    "Hana",
    "Haruto",
    "Ibrahim",
    "Ines",
    "Isla",
    "Jakub",
    "Jasmine",
    "Jonas",
    "Kaito",
    "Katarina",
    "Kofi",
    "Lars",
    "Leila",
    "Linh",
    "Lucia",
    "Mads",
    "Marek",
    "Mei",
    "Mina",
    "Nadia",
    "Nikhil",
    "Noor",
    "Olga",
    "Oscar",
    "Paloma",
    "Pavel",
    "Priya",
    "Quentin",
    "Rafael",
    "Rosa",
    "Sakura",
    "Samir",
    "Siobhan",
    "Sofie",
    "Tariq",
    "Tomasz",
    "Valentina",
    "Wanjiru",
    "Yuki",
    "Zoe",
];

const LAST: [&str; 64] = [
    "Abbott",
    "Adeyemi",
    "Alvarez",
    "Andersson",
    "Bakker",
    "Banerjee",
    "Bauer",
    "Becker",
    "Bernard",
    "Brandt",
    "Calloway",
    "Chen",
    "Costa",
    "Dahl",
    "Delgado",
    "Dubois",
    "Eriksen",
    "Esposito",
    "Fischer",
    "Fujimoto",
    "Gallagher",
    "Garnier",
    "Haddad",
    "Hoffmann",
    "Horvat",
    "Ito",
    "Jansen",
    "Kamau",
    "Kaplan",
    "Kowalski",
    "Kumar",
    "Lefebvre",
    "Lindqvist",
    "Lopez",
    "Marchetti",
    "Mendes",
    "Mitchell",
    "Moreau",
    "Nakamura",
    "Ndiaye",
    "Nguyen",
    "Novak",
    "O'Connor",
    "Okafor",
    "Olsen",
    "Osei",
    "Park",
    "Patel",
    "Petrov",
    "Quinn",
    "Ramirez",
    "Rossi",
    "Sato",
    "Schneider",
    "Silva",
    "Suzuki",
    "Tanaka",
    "Turner",
    "Vasquez",
    "Vogel",
    "Watanabe",
    "Whitfield",
    "Yamada",
    "Zielinski",
];

const FIRM: [&str; 72] = [
    "Alder",
    "Amberline",
    "Anchor",
    "Arbor",
    "Atlas",
    "Beacon",
    "Birchwood",
    "Bluefin",
    "Brightside",
    "Canopy",
    "Cedar",
    "Cinder",
    "Clearwater",
    "Cobalt",
    "Copperfield",
    "Coral",
    "Crestline",
    "Driftwood",
    "Dune",
    "Eastbank",
    "Ember",
    "Fathom",
    "Fernhill",
    "Fieldstone",
    "Foxglove",
    "Gale",
    "Glasshouse",
    "Granite",
    "Greenway",
    "Harbor",
    "Hawthorn",
    "Heron",
    "Highmoor",
    "Indigo",
    "Ironbridge",
    "Juniper",
    "Kestrel",
    "Kingfisher",
    "Lantern",
    "Larkspur",
    "Lighthouse",
    "Lumen",
    "Maple",
    "Marigold",
    "Meridian",
    "Millrace",
    "Moss",
    "Nimbus",
    "Northgate",
    "Oakline",
    "Orchard",
    "Osprey",
    "Paperboat",
    "Pebble",
    "Pinecrest",
    "Quarry",
    "Redwood",
    "Ridgeway",
    "Riverbend",
    "Saffron",
    "Sandpiper",
    "Silverleaf",
    "Skylark",
    "Slate",
    "Stonebridge",
    "Sundial",
    "Tideway",
    "Timber",
    "Verdant",
    "Westlake",
    "Willow",
    "Windrose",
];

const TRADE: [&str; 40] = [
    "Analytics",
    "Architects",
    "Bakery Group",
    "Bikes",
    "Books",
    "Brewing",
    "Care",
    "Clinics",
    "Coffee",
    "Collective",
    "Consulting",
    "Creative",
    "Dental",
    "Design",
    "Education",
    "Energy",
    "Events",
    "Films",
    "Fitness",
    "Foods",
    "Freight",
    "Games",
    "Gardens",
    "Health",
    "Homes",
    "Hospitality",
    "Insurance",
    "Interiors",
    "Labs",
    "Legal",
    "Logistics",
    "Media",
    "Optics",
    "Outdoor",
    "Partners",
    "Robotics",
    "Schools",
    "Software",
    "Studio",
    "Travel",
];

/// A market: how often customers come from it, in percent, and what is billed there.
#[derive(Debug)]
pub struct Market {
    pub percent: usize,
    pub currency: &'static str,
    pub country: &'static str,
    pub domain: &'static str,
    cities: [(&'static str, &'static str); 4],
}

pub const MARKETS: [Market; 7] = [
    Market {
        percent: 55,
        currency: "usd",
        country: "US",
        domain: "com",
        cities: [("Portland", "97205"), ("Austin", "78701"), ("Chicago", "60607"), ("Denver", "80202")],
    },
    Market {
        percent: 3,
        currency: "usd",
        country: "CA",
        domain: "ca",
        cities: [
            ("Toronto", "M5V 2T6"),
            ("Montreal", "H2Y 1C6"),
            ("Calgary", "T2P 1J9"),
            ("Halifax", "B3J 1S9"),
        ],
    },
    Market {
        percent: 10,
        currency: "eur",
        country: "DE",
        domain: "de",
        cities: [("Berlin", "10119"), ("Hamburg", "20095"), ("Leipzig", "04109"), ("Cologne", "50667")],
    },
    Market {
        percent: 7,
        currency: "eur",
        country: "FR",
        domain: "fr",
        cities: [("Lyon", "69002"), ("Nantes", "44000"), ("Paris", "75011"), ("Lille", "59000")],
    },
    Market {
        percent: 5,
        currency: "eur",
        country: "NL",
        domain: "nl",
        cities: [
            ("Utrecht", "3511 LX"),
            ("Rotterdam", "3011 AA"),
            ("Haarlem", "2011 RC"),
            ("Delft", "2611 GX"),
        ],
    },
    Market {
        percent: 12,
        currency: "gbp",
        country: "GB",
        domain: "co.uk",
        cities: [
            ("Bristol", "BS1 4DJ"),
            ("Leeds", "LS1 4AP"),
            ("Manchester", "M1 1AE"),
            ("London", "E1 6AN"),
        ],
    },
    Market {
        percent: 8,
        currency: "jpy",
        country: "JP",
        domain: "co.jp",
        cities: [
            ("Osaka", "530-0001"),
            ("Fukuoka", "810-0001"),
            ("Tokyo", "150-0002"),
            ("Sapporo", "060-0005"),
        ],
    },
];

/// Who a customer is.
#[derive(Debug, Clone)]
pub struct Firm {
    pub name: String,
    pub contact: String,
    pub email: String,
    pub market: usize,
    pub city: &'static str,
    pub postal_code: &'static str,
}

impl Firm {
    /// The next customer of the list; `index` keeps addresses apart.
    pub fn draw(draw: &mut Draw, index: usize) -> Self {
        let mut left = draw.below(100);
        let fits = |market: &Market| {
            let here = left < market.percent;
            left = left.saturating_sub(market.percent);
            here
        };
        let market = MARKETS.iter().position(fits).unwrap_or_default();
        let (firm, trade) = (*draw.of(&FIRM), *draw.of(&TRADE));
        let (first, last) = (*draw.of(&FIRST), *draw.of(&LAST));
        let (city, postal_code) = *draw.of(&MARKETS[market].cities);
        let plain =
            |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
        let again = if index >= FIRM.len() { format!("{}", index / FIRM.len()) } else { String::new() };
        let host = format!("{}{}{again}.{}", plain(firm), plain(trade), MARKETS[market].domain);
        Self {
            name: format!("{firm} {trade}"),
            contact: format!("{first} {last}"),
            email: format!("{}.{}@{host}", plain(first), plain(last)),
            market,
            city,
            postal_code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_add_up_to_everybody() {
        assert_eq!(MARKETS.iter().map(|market| market.percent).sum::<usize>(), 100);
    }

    #[test]
    fn addresses_are_plain_and_names_vary() {
        let mut draw = Draw::new(3);
        let firms: Vec<Firm> = (0..200).map(|index| Firm::draw(&mut draw, index)).collect();
        assert!(firms.iter().all(|firm| firm.email.is_ascii() && firm.email.matches('@').count() == 1));
        let names: std::collections::HashSet<&str> = firms.iter().map(|firm| firm.name.as_str()).collect();
        assert!(names.len() > 180, "{}", names.len());
    }
}
